"""Writing pictures to an MP4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streams.errors import SourceCorrupt
from streams.open import open_source
from streams.probe import probe
from streams.recording import Recording
from tests.streams.pictures import SIZE, number_of, numbered, record


def numbers(path: Path) -> list[int]:
    with open_source(str(path), name="cam") as source:
        return [number_of(frame.image) for frame in source]


@pytest.mark.parametrize("fps", [1, 10, 29.97, 30])
def test_what_is_written_is_read(tmp_path: Path, fps: float) -> None:
    """Every picture, in order, at the rate asked for."""
    path = record(tmp_path / "clip.mp4", 30, fps=fps)
    assert numbers(path) == list(range(30))
    assert probe(str(path)).fps_measured == pytest.approx(fps, rel=0.001)


def test_keyframes_come_as_often_as_asked(tmp_path: Path) -> None:
    """A reader that joins in the middle waits no longer than that."""
    assert probe(str(record(tmp_path / "clip.mp4", 30, keyframe_every=7))).keyframe_every == 7


def test_an_error_on_the_way_still_leaves_a_whole_file(tmp_path: Path) -> None:
    """What was recorded before a crash can be seen."""
    path = tmp_path / "clip.mp4"

    def fail_half_way() -> None:
        with Recording(path, SIZE, 10) as recording:
            for number in range(5):
                recording.write(numbered(number))
            raise KeyError("half-way")

    with pytest.raises(KeyError, match="half-way"):
        fail_half_way()
    assert numbers(path) == list(range(5))


def test_a_recording_without_a_picture_says_so_when_read(tmp_path: Path) -> None:
    """Writing nothing is no error, reading nothing is."""
    with Recording(tmp_path / "clip.mp4", SIZE, 10):
        pass
    with pytest.raises(SourceCorrupt, match="nothing that can be read"):
        numbers(tmp_path / "clip.mp4")


def test_pictures_that_do_not_fit(tmp_path: Path) -> None:
    """A picture of another size or kind is an error, not a distorted recording."""
    with Recording(tmp_path / "clip.mp4", SIZE, 10) as recording:
        with pytest.raises(ValueError, match=r"\(96, 128, 3\)"):
            recording.write(np.zeros((10, 10, 3), np.uint8))
        with pytest.raises(ValueError, match="float32"):
            recording.write(np.zeros((96, 128, 3), np.float32))


@pytest.mark.parametrize(
    ("size", "fps", "says"), [((3, 4), 10, "even"), ((0, 0), 10, "even"), ((4, 4), 0, "fps")]
)
def test_what_cannot_be_recorded(
    tmp_path: Path, size: tuple[int, int], fps: float, says: str
) -> None:
    """Told before anything is written."""
    with pytest.raises(ValueError, match=says):
        Recording(tmp_path / "clip.mp4", size, fps)
    assert not (tmp_path / "clip.mp4").exists()


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    """An ordinary OSError that names the path."""
    with (
        pytest.raises(OSError, match="nowhere"),
        Recording(tmp_path / "nowhere" / "clip.mp4", SIZE, 10),
    ):
        pass
