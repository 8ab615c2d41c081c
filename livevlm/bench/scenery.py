"""Scenery: pictures that cost a codec what a street costs it: texture, things that move, and a sensor's noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from streams.clip import Clip, encode_clip
from streams.opencv import cv2

Image = npt.NDArray[np.uint8]
THINGS = 12
NOISE = 3.0


def encode_scenery(
    size: tuple[int, int], *, fps: float, keyframe_every: int, count: int, bit_rate: int
) -> Clip:
    """So many pictures of (width, height), encoded as a camera would within a rate of bits a second."""
    return encode_clip(scenery(size, count), fps, keyframe_every, bit_rate=bit_rate)


def scenery(size: tuple[int, int], count: int, seed: int = 0) -> Iterator[Image]:
    """A fixed camera's pictures, RGB (height, width, 3): a textured ground, textured things crossing it, noise over all."""
    rng = np.random.default_rng(seed)
    width, height = size
    ground = _texture(rng, width, height)
    edge = max(8, height // 6)
    things = [_texture(rng, edge, edge) for _ in range(THINGS)]
    starts = rng.uniform(0, 1, (THINGS, 2)) * (width - edge, height - edge)
    speeds = rng.uniform(-0.012, 0.012, (THINGS, 2)) * (width, height)
    # Noise is drawn once and shifted about: drawing it for every picture would take longer than encoding.
    noise = rng.normal(0, NOISE, (height + 32, width + 32, 1)).astype(np.float32)
    for number in range(count):
        picture = ground.copy()
        for thing, start, speed in zip(things, starts, speeds, strict=True):
            left, top = (start + number * speed).astype(int) % (width - edge, height - edge)
            picture[top : top + edge, left : left + edge] = thing
        down, right = rng.integers(32, size=2)
        grain = noise[down : down + height, right : right + width]
        yield np.clip(picture + grain, 0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, width: int, height: int) -> npt.NDArray[np.float32]:
    """Noise at every scale, as natural surfaces have it: (height, width, 3), about 0..255."""
    total = np.full((height, width, 3), 128, np.float32)
    cell, strength = 2, 60.0
    while cell < min(width, height):
        coarse = rng.normal(0, strength, (cell, cell * width // height + 1, 3)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        cell, strength = cell * 2, strength * 0.7
    return total
