"""Frame: one decoded picture with its two clocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture of a stream.

    stream: the stream's name. index: counts the pictures that were decoded, from 0, across reconnects. pts_s: stream time in
    seconds, never falling. captured_utc: when it arrived here, POSIX seconds (UTC). image: RGB, (height, width, 3) uint8.
    stamp_s: of a recording, the container's own stamp, by which this picture can be sought; None where it cannot.
    """

    stream: str
    index: int
    pts_s: float
    captured_utc: float
    image: npt.NDArray[np.uint8]
    stamp_s: float | None = None

    def __post_init__(self) -> None:
        assert self.image.ndim == 3 and self.image.shape[2] == 3, self.image.shape
        assert self.image.dtype == np.uint8, self.image.dtype
