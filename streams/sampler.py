"""Sampler: which pictures of a stream are looked at, by stream time alone."""

from __future__ import annotations

import math


class Sampler:
    """Keeps about `fps` pictures a second of stream time, on a fixed grid that starts at the first picture.

    A source slower than `fps` keeps everything. Where time jumps back the next picture is kept and the grid starts anew.
    """

    def __init__(self, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be a number above 0, not {fps}")
        self._period_s = 1.0 / fps
        # Containers round time stamps, often to a millisecond: a picture that is this much early is still on time.
        self._slack_s = min(0.002, 0.1 * self._period_s)
        self._anchor_s = 0.0
        self._last_s = math.inf
        self._due_s = -math.inf

    def keep(self, pts_s: float) -> bool:
        """Whether the picture at this stream time (seconds) is kept. To be asked once for each, in order."""
        if pts_s < self._last_s - self._slack_s:
            self._anchor_s = pts_s
            self._due_s = pts_s
        self._last_s = pts_s
        if pts_s < self._due_s - self._slack_s:
            return False
        passed = math.floor((pts_s + self._slack_s - self._anchor_s) / self._period_s)
        self._due_s = self._anchor_s + (passed + 1) * self._period_s
        return True
