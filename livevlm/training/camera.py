"""Camera: scenes of known content as a camera would deliver them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.lossy import CODECS, through_codec
from streams.opencv import cv2
from streams.render import render
from streams.scene import Scene

Rng = np.random.Generator
SIZES = ((160, 120), (192, 108), (128, 128), (240, 180), (320, 240))
COMMON = (0.4, 0.2, 0.2, 0.15, 0.05)
_SHRINK = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def film(
    rng: Rng, scene: Scene, moments: Sequence[float], side: int
) -> list[npt.NDArray[np.uint8]]:
    """The scene at so many moments: drawn at some size, lit, blurred, compressed as one clip, and shrunk to (side, side)."""
    size = SIZES[rng.choice(len(SIZES), p=COMMON)]
    images = [render(scene, moment, size) for moment in moments]
    if rng.random() < 0.4:
        gain = rng.uniform(0.8, 1.12) * rng.uniform(0.95, 1.05, size=3)
        offset = rng.uniform(-12, 12)
        images = [_lit(image, gain, offset) for image in images]
    if rng.random() < 0.15:
        images = [cv2.GaussianBlur(image, (3, 3), 0).astype(np.uint8) for image in images]
    if rng.random() < 0.6:
        codec = tuple(CODECS)[rng.integers(len(CODECS))]
        images = through_codec(images, codec, float(rng.random()))
    shrink = _SHRINK[rng.integers(len(_SHRINK))]
    return [
        cv2.resize(image, (side, side), interpolation=shrink).astype(np.uint8) for image in images
    ]


def _lit(
    image: npt.NDArray[np.uint8], gain: npt.NDArray[np.float64], offset: float
) -> npt.NDArray[np.uint8]:
    levels = np.arange(256)[:, None] * gain + offset
    table = np.clip(levels, 0, 255).astype(np.uint8)[:, None]
    return cv2.LUT(image, table).astype(np.uint8)
