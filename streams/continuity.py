"""Continuity: one stream's time and numbering carried over its openings."""

from __future__ import annotations

from dataclasses import replace

from streams.frame import Frame

USUAL_STEP_S = 1 / 25
# How far a camera's time may have run from ours within one opening to be brought back in step at the next.
DRIFT_S = 15.0


class Continuity:
    """Places each opening's pictures, which count and run from 0, behind those of the openings before.

    A live stream's time goes on by the time that passed until its next picture came; a recording's by one picture's time.
    Pictures that pile up while a source is opened come in a burst: so that this does not add up over many openings, the time
    that passed is counted from the beginning of the opening before, unless the camera's clock runs too differently.
    """

    def __init__(self) -> None:
        self._base_s = 0.0
        self._base_index = 0
        self._pictures = 0
        self._last_s = 0.0
        self._step_s = USUAL_STEP_S
        self._arrived_s: float | None = None
        self._began_s = 0.0
        self._began_arrived_s = 0.0
        self._fresh = True

    def reopen(self) -> None:
        """A new opening begins: its pictures count and run from 0 again."""
        self._fresh = True

    def place(self, pts_s: float, arrived_s: float, *, live: bool) -> float:
        """Stream time of the next picture, from its time in this opening and its arrival on a monotonic clock (seconds)."""
        if self._fresh:
            self._begin(pts_s, arrived_s, live)
        now_s = max(self._last_s, self._base_s + pts_s)
        if now_s > self._last_s:
            self._step_s = min(now_s - self._last_s, 1.0)
        self._last_s, self._arrived_s = now_s, arrived_s
        self._pictures += 1
        return now_s

    def peek(self, pts_s: float) -> float:
        """Where `place` would put a picture of this opening, of which one was placed before."""
        return max(self._last_s, self._base_s + pts_s)

    def move(self, frame: Frame) -> Frame:
        """The frame last placed, with the stream's own number and time."""
        return replace(frame, index=self._base_index + frame.index, pts_s=self._last_s)

    def _begin(self, pts_s: float, arrived_s: float, live: bool) -> None:
        self._fresh = False
        self._base_index = self._pictures
        if self._arrived_s is not None:
            step_s = self._gap_s(arrived_s, self._arrived_s) if live else self._step_s
            self._base_s = self._last_s + step_s - pts_s
        self._began_s = self._base_s + pts_s
        self._began_arrived_s = arrived_s

    def _gap_s(self, arrived_s: float, before_s: float) -> float:
        """Seconds of stream time from the last picture, which came at `before_s`, to the one that comes now."""
        gap_s = arrived_s - before_s
        in_step_s = self._began_s + (arrived_s - self._began_arrived_s) - self._last_s
        return max(0.0, in_step_s if abs(in_step_s - gap_s) <= DRIFT_S else gap_s)
