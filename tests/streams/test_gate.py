"""Which frames show something else than the one before."""

from __future__ import annotations

from collections.abc import Sequence

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from streams.frame import Frame
from streams.gate import Gate
from streams.lossy import through_codec

Image = npt.NDArray[np.uint8]
SIZE = (384, 384)
# What docs/streams.md advises; the tests hold it to what it promises there.
ADVISED = 6.0


def street(seed: int = 1) -> npt.NDArray[np.float32]:
    """A view with some texture in it, (360, 640, 3)."""
    coarse = np.random.default_rng(seed).uniform(40, 200, (24, 40, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (640, 360), interpolation=cv2.INTER_CUBIC), np.float32)


def filmed(views: Sequence[npt.NDArray[np.float32]], loss: float = 0.5) -> list[Image]:
    """The views as a noisy camera sends them in H.264, scaled to what a model takes."""
    noise = np.random.default_rng(2)
    noisy = [
        np.clip(view + noise.normal(0, 4, (360, 640, 1)), 0, 255).astype(np.uint8) for view in views
    ]
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    return [
        np.asarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        for image in through_codec(noisy, codec, loss, fps=15)
    ]


def frames(images: Sequence[Image], period_s: float = 1.0) -> list[Frame]:
    return [Frame("cam", i, i * period_s, 0.0, image) for i, image in enumerate(images)]


@pytest.mark.parametrize("loss", [0.2, 0.9])
def test_a_still_scene_does_not_pass_whatever_camera_and_codec_add(loss: float) -> None:
    """Noise and blocks are no news."""
    gate = Gate(ADVISED, 100.0)
    taken = [gate.passes(frame) for frame in frames(filmed([street()] * 16, loss)[4:])]
    assert taken == [True, *[False] * 11]


def test_a_small_thing_that_moves_in_a_still_scene_passes() -> None:
    """A fortieth of the picture's width, far away, no brighter than what is around by more than 40 levels."""
    views = []
    for step in range(16):
        view = street().copy()
        left = 100 + 2 * step
        view[200:216, left : left + 16] += 40 * (1 if view[200:216, 100:140].mean() < 128 else -1)
        views.append(view)
    gate = Gate(ADVISED, 100.0)
    taken = [gate.passes(frame) for frame in frames(filmed(views)[4:])]
    assert sum(taken) >= 3
    assert sum(taken) <= 9, "half a width a second need not be told each time"


def test_what_changes_slowly_passes_in_the_end() -> None:
    """Each frame is held against the last that passed, not against its neighbour: dusk is seen."""
    gate = Gate(ADVISED, 1000.0)
    dusk = [np.full((64, 64, 3), 200 - level, np.uint8) for level in range(40)]
    taken = [frame.index for frame in frames(dusk) if gate.passes(frame)]
    assert taken == [0, 6, 12, 18, 24, 30, 36]


def test_a_frame_passes_when_it_is_time() -> None:
    """A still scene has a present, too."""
    gate = Gate(ADVISED, 3.0)
    still = [np.full((64, 64, 3), 90, np.uint8)] * 10
    assert [frame.index for frame in frames(still) if gate.passes(frame)] == [0, 3, 6, 9]


def test_forgetting_lets_the_next_one_pass() -> None:
    """After a source was opened again its first frame is looked at."""
    gate = Gate(ADVISED, 100.0)
    first, second, third = frames([np.full((64, 64, 3), 90, np.uint8)] * 3)
    assert gate.passes(first)
    assert not gate.passes(second)
    gate.forget()
    assert gate.passes(third)


def test_off_means_that_everything_passes() -> None:
    """Which is the default."""
    gate = Gate(0.0, 10.0)
    assert all(gate.passes(frame) for frame in frames([np.zeros((8, 8, 3), np.uint8)] * 5))


@pytest.mark.parametrize(("threshold", "longest_s"), [(-1, 10), (256, 10), (5, 0)])
def test_numbers_that_make_no_sense(threshold: float, longest_s: float) -> None:
    """Told where they are made."""
    with pytest.raises(ValueError, match="threshold from 0 to 255"):
        Gate(threshold, longest_s)
