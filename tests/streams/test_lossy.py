"""Pictures through a codec."""

from __future__ import annotations

import numpy as np
import pytest

from streams.lossy import CODECS, through_codec
from streams.render import Image, render
from streams.staging import draw_scene


def pictures(count: int = 6, seed: int = 4) -> list[Image]:
    """Some frames of a scene, a second apart."""
    scene = draw_scene(np.random.default_rng(seed))
    return [render(scene, float(moment), (128, 96)) for moment in range(count)]


def error(one: list[Image], two: list[Image]) -> float:
    """How far two clips are apart: the root of the mean square of 0..255."""
    return float(np.sqrt(((np.stack(one).astype(float) - np.stack(two)) ** 2).mean()))


@pytest.mark.parametrize("codec", CODECS)
def test_a_clip_comes_back_whole_and_in_order(codec: str) -> None:
    """As many pictures as went in, of their size and type, each nearest to its own original; one picture is a clip too."""
    clip = [pictures(1, seed)[0] for seed in (4, 5, 6)]
    back = through_codec(clip, codec, 0.2)
    assert [(image.shape, image.dtype) for image in back] == [((96, 128, 3), np.uint8)] * len(clip)
    for number, image in enumerate(back):
        far = [error([image], [original]) for original in clip]
        assert np.argmin(far) == number
    assert len(through_codec(clip[:1], codec, 0.5)) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_more_loss_is_farther_from_the_original(codec: str) -> None:
    """With little loss a picture is close to what it was, with more it is less and less so."""
    clip = pictures()
    none, some, much = (error(clip, through_codec(clip, codec, loss)) for loss in (0.0, 0.5, 1.0))
    assert 0 < none < 8
    assert none < some < much


def test_a_codec_gives_the_same_pictures_again() -> None:
    """Training draws its pictures anew after a break: they must be the same to the bit."""
    clip = pictures()
    for codec in CODECS:
        one, two = through_codec(clip, codec, 0.7), through_codec(clip, codec, 0.7)
        assert np.array_equal(np.stack(one), np.stack(two))
