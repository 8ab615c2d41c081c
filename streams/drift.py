"""Drift: how a camera's clock runs against ours, from when its pictures were made and when they arrived."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 30.0
# A rate over less than this would tell more of the network than of the clock.
RATE_AFTER_S = 300.0
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReading:
    """ahead_s: seconds that stream time has run ahead of arrival since the opening, below 0 behind; None while that cannot be
    told. per_hour_s: the same for an hour, None until five minutes have been seen.
    """

    ahead_s: float | None = None
    per_hour_s: float | None = None


class Drift:
    """Compares stretches of 30 s: of each counts the picture that was held up least on its way, as clocks are compared over
    networks.

    So a burst at the opening, jitter and single late pictures do not count; a delay that grows in every picture does, whether
    from the camera's clock or from a link that cannot keep up: from this side the two look alike.
    """

    def __init__(self) -> None:
        self.reading = DriftReading()
        self.restart()

    def restart(self) -> None:
        """A new opening begins; until something is known of it the reading says nothing."""
        self.reading = DriftReading()
        self._first: tuple[float, float] | None = None
        self._began_s: float | None = None
        self._least_s = 0.0

    def note(self, arrived_s: float, pts_s: float) -> None:
        """A picture of this stream time came at this moment of a monotonic clock (both seconds)."""
        late_s = arrived_s - pts_s
        if self._began_s is None:
            self._began_s, self._least_s = arrived_s, late_s
        if arrived_s - self._began_s >= WINDOW_S:
            self._close(self._began_s)
            self._began_s, self._least_s = arrived_s, late_s
        self._least_s = min(self._least_s, late_s)

    def _close(self, began_s: float) -> None:
        if self._first is None:
            self._first = (began_s, self._least_s)
            self.reading = DriftReading(ahead_s=0.0)
            return
        first_s, first_late_s = self._first
        ahead_s = first_late_s - self._least_s
        passed_s = began_s - first_s
        rate = ahead_s / passed_s * HOUR_S if passed_s >= RATE_AFTER_S else None
        self.reading = DriftReading(ahead_s=ahead_s, per_hour_s=rate)
