"""Pace: when the frames of a recording are due that plays at a speed of its own."""

from __future__ import annotations


class Pace:
    """The first frame is due at once, every other as much later as its stream time says, divided by `speed`."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began: tuple[float, float] | None = None

    def left_s(self, pts_s: float, now_s: float) -> float:
        """Seconds from now, of a monotonic clock, until the frame of this stream time is due; below 0 where it is late."""
        began_s, first_s = self._began = self._began or (now_s, pts_s)
        return began_s + (pts_s - first_s) / self._speed - now_s

    def put_off(self, seconds: float) -> None:
        """All that is still to come is due so much later."""
        if self._began is not None:
            began_s, first_s = self._began
            self._began = (began_s + seconds, first_s)
