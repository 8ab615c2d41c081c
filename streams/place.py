"""Place: a moment of a recording behind which it is gone on with, and the way there."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Times of one picture, computed in two ways, differ by less; times of two pictures by more.
SAME_S = 1e-6


@dataclass(frozen=True, slots=True)
class Place:
    """A picture of a recording. pts_s: its time since the recording's beginning, in seconds. stamp_s: its container's own
    stamp, by which it can be sought; None where only going through the recording from its beginning leads there.
    """

    pts_s: float
    stamp_s: float | None = None


def reached(behind: Place | None, pts_s: float) -> bool:
    """Whether a picture of that time lies behind the place; all do where there is none."""
    return behind is None or pts_s > behind.pts_s + SAME_S


def first_behind(behind: Place | None, fps: float) -> int:
    """The number of the first picture behind the place, where there are `fps` of them a second, the first at 0."""
    return 0 if behind is None else math.floor((behind.pts_s + SAME_S) * fps) + 1


class Astray(Exception):
    """A seek led elsewhere."""


class Approach:
    """The way to a place after a seek: pictures up to it are passed over, and its own must be among them, or what follows may
    be the wrong part of the recording.
    """

    def __init__(self, stamp_s: float) -> None:
        self._stamp_s = stamp_s
        self._met = False
        self.arrived = False

    def behind(self, stamp_s: float | None) -> bool:
        """Whether the next picture lies behind the place, by its stamp. Raises Astray."""
        if self.arrived:
            return True
        if stamp_s is None:
            raise Astray
        if stamp_s <= self._stamp_s + SAME_S:
            self._met = self._met or stamp_s >= self._stamp_s - SAME_S
            return False
        self.end()
        return True

    def end(self) -> None:
        """There are no more pictures on the way. Raises Astray where the place was not among them."""
        if not self._met:
            raise Astray
        self.arrived = True


class Ruler:
    """Whether stamps and stream time have run alike since the beginning: only then is a moment found by its stamp."""

    def __init__(self, begun: tuple[float, float] | None = None) -> None:
        """begun: stream time and stamp of the picture before the first, where that is not the beginning."""
        self._ahead_s = None if begun is None else begun[0] - begun[1]
        self._straight = True

    def stamp(self, pts_s: float, stamp_s: float | None) -> float | None:
        """The next picture's stamp, if it can be sought by it. To be asked once for each, in order."""
        if stamp_s is None or not self._straight:
            self._straight = False
            return None
        if self._ahead_s is None:
            self._ahead_s = pts_s - stamp_s
        self._straight = abs(pts_s - stamp_s - self._ahead_s) < SAME_S
        return stamp_s if self._straight else None
