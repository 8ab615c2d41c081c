"""Timeline: stream time made of time stamps as sources really give them: missing, repeated, running back, jumping."""

from __future__ import annotations

# A step back within this is a stamp out of order: time stands until it is caught up with.
REPEAT_S = 1.0
# A live source's stamp this far ahead of its arrival is a jump, not time that passed.
LIVE_JUMP_S = 10.0
# A recording may leave out an hour in which nothing moved, not more.
FILE_JUMP_S = 3600.0


class Stamper:
    """Chooses between the two stamps of a picture: the presentation stamp, until it has run back more often than the other.

    Some files number their pictures wrongly (AVI has no presentation stamps, libav guesses them); then those are in order that
    say when a picture was to be decoded.
    """

    def __init__(self) -> None:
        self._last: list[float | None] = [None, None]
        self._faults = [0, 0]

    def choose(self, presented_s: float | None, decoded_s: float | None) -> float | None:
        """The next picture's better stamp in seconds, None where it has none."""
        for which, stamp_s in enumerate((presented_s, decoded_s)):
            last_s = self._last[which]
            if stamp_s is not None:
                self._faults[which] += last_s is not None and stamp_s <= last_s
                self._last[which] = stamp_s
        if presented_s is None or (decoded_s is not None and self._faults[0] > self._faults[1]):
            return decoded_s
        return presented_s


class Timeline:
    """Turns the raw stamps of one opening of a source into seconds that start at 0 and never fall.

    A gap that stamps cannot tell is taken from the pictures' arrival when the source is live, else from `interval_s`, its usual
    time between two pictures.
    """

    def __init__(
        self, *, live: bool, interval_s: float, begun: tuple[float, float] | None = None
    ) -> None:
        """begun: stream time and stamp of the picture before the first, where that is not the beginning."""
        assert interval_s > 0, interval_s
        self._live = live
        self._interval_s = interval_s
        self._offset_s: float | None = None
        self._now_s: float | None = None
        self._arrived_s = 0.0
        if begun is not None:
            self._now_s, self._offset_s = begun[0], begun[0] - begun[1]

    def at(self, stamp_s: float | None, arrived_s: float) -> float:
        """Stream time of the next picture: its stamp in seconds, if it has one, and its arrival on a monotonic clock."""
        gap_s = self._interval_s
        if self._live:
            gap_s = max(gap_s, arrived_s - self._arrived_s)
        self._arrived_s = arrived_s
        if self._now_s is None:
            self._now_s = 0.0
        else:
            self._now_s += self._step(stamp_s, self._now_s, gap_s)
        if stamp_s is not None and self._offset_s is None:
            self._offset_s = self._now_s - stamp_s
        return self._now_s

    def _step(self, stamp_s: float | None, now_s: float, gap_s: float) -> float:
        if stamp_s is None:
            self._offset_s = None
            return gap_s
        if self._offset_s is None:
            return gap_s
        step_s = stamp_s + self._offset_s - now_s
        furthest_s = gap_s + LIVE_JUMP_S if self._live else FILE_JUMP_S
        if step_s < -REPEAT_S or step_s > furthest_s:
            self._offset_s = None
            return gap_s
        return max(0.0, step_s)
