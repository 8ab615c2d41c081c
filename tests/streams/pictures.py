"""Pictures that carry a number which survives encoding and scaling, and what waits on threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streams.frame import Frame
from streams.recording import Recording

Image = npt.NDArray[np.uint8]
SIZE = (128, 96)
FPS = 25


def numbered(number: int) -> Image:
    """A picture of SIZE whose eight blocks are the bits of a number below 256, dark or bright."""
    assert 0 <= number < 256, number
    bits = np.array([(number >> bit) & 1 for bit in range(8)], np.uint8).reshape(2, 4)
    grey = np.kron(bits * 190 + 30, np.ones((SIZE[1] // 2, SIZE[0] // 4), np.uint8))
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def number_of(image: Image) -> int:
    """The number that a picture carries, at any size."""
    height, width = image.shape[:2]
    rows, columns = (
        [size * (2 * i + 1) // (2 * n) for i in range(n)] for size, n in ((height, 2), (width, 4))
    )
    bits = [image[row, column].mean() > 125 for row in rows for column in columns]
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def many(count: int) -> Iterator[Image]:
    """Pictures 0, 1, 2, ..."""
    return (numbered(number % 256) for number in range(count))


def record(path: Path, count: int = 50, *, keyframe_every: int = 10, fps: float = FPS) -> Path:
    """An MP4 of so many numbered pictures."""
    with Recording(path, SIZE, fps, keyframe_every=keyframe_every) as recording:
        for image in many(count):
            recording.write(image)
    return path


def frame(index: int, pts_s: float = 0.0) -> Frame:
    """A tiny frame."""
    return Frame("cam", index, pts_s, 0.0, np.zeros((2, 2, 3), np.uint8))


def until(condition: Callable[[], object], hang_s: float = 30.0) -> None:
    """Wait until the condition holds; a failure after `hang_s` seconds, which guards against hanging only."""
    deadline, pause = time.monotonic() + hang_s, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        pause.wait(0.005)
