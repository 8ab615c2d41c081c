"""Gate: lets a frame pass that shows something else than the one before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.frame import Frame
from streams.opencv import cv2

# Cells along each side of the grey picture that is compared. Averaging over a cell takes out noise; a thing as large as one
# fills it.
CELLS = 48


class Gate:
    """Compares frames on a grid of 48 x 48 grey cells, by the one cell that differs most from the last frame that passed.

    The mean over the picture would let a small thing that moves go unseen; the cell that differs most does not. threshold: grey
    levels (of 255) below which frames are alike, 0 lets everything pass. longest_s: a frame passes when so much stream time
    went by since the last one, so that a still scene has a present, too.
    """

    def __init__(self, threshold: float, longest_s: float) -> None:
        if not 0 <= threshold <= 255 or not longest_s > 0:
            raise ValueError("a gate needs a threshold from 0 to 255 and a longest_s above 0")
        self._threshold, self._longest_s = threshold, longest_s
        self._last: tuple[float, npt.NDArray[np.uint8]] | None = None

    def forget(self) -> None:
        """The next frame passes."""
        self._last = None

    def passes(self, frame: Frame) -> bool:
        """Whether the frame is to be looked at. To be asked once for each, in order."""
        if not self._threshold:
            return True
        cells = _cells(frame.image)
        if self._last is not None:
            since_s, seen = self._last
            late = frame.pts_s - since_s >= self._longest_s
            if not late and cv2.norm(cells, seen, cv2.NORM_INF) < self._threshold:
                return False
        self._last = (frame.pts_s, cells)
        return True


def _cells(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB (height, width, 3) -> grey (48, 48): the mean of each cell."""
    small = cv2.resize(image, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
