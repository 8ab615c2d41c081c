"""Sampler: which pictures of a stream are looked at, by stream time alone."""

from __future__ import annotations

import math

# A keyframe is taken this share of a period before its time, and any is after so many pictures that were none: both make more
# frames than were asked for, an eighth at most.
EARLY = 1 / 8
PATIENCE = 8


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
        self._beside = 0
        self._key_s = -math.inf

    def due(self, pts_s: float) -> bool:
        """Whether a picture at this stream time (seconds) would be kept."""
        return pts_s < self._last_s - self._slack_s or pts_s >= self._due_s - self._slack_s

    def draw(self, pts_s: float) -> None:
        """Move the grid to a keyframe's stream time, where a picture is due then or almost.

        A keyframe is decoded alone, and the grid's other pictures need fewer before them the nearer behind it they lie. Where
        keyframes come more often than every half period it is not worth moving.
        """
        key_s, self._key_s = self._key_s, pts_s
        if 0 <= pts_s - key_s < self._period_s / 2:
            return
        if pts_s >= self._due_s - EARLY * self._period_s or self._beside >= PATIENCE:
            self._anchor_s = self._due_s = pts_s
            self._beside = 0

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
        self._beside += 1
        return True
