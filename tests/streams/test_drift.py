"""How a camera's clock runs against ours."""

from __future__ import annotations

import random

import pytest

from streams.drift import Drift, DriftReading


def watch(
    drift: Drift, seconds: float, *, rate: float = 1.0, late_s: object = lambda _now: 0.0
) -> None:
    """Ten pictures a second; `rate`: seconds of stream time to one that passes; late_s: how long each is held up."""
    for tick in range(int(seconds * 10)):
        now_s = tick / 10
        drift.note(1000.0 + now_s + late_s(now_s), now_s * rate)  # type: ignore[operator]


def test_a_clock_that_runs_fast() -> None:
    """A thousandth too fast is 3.6 s an hour."""
    drift = Drift()
    watch(drift, 1200, rate=1.001)
    assert drift.reading.per_hour_s == pytest.approx(3.6, abs=0.2)
    assert drift.reading.ahead_s == pytest.approx(1.14, abs=0.1)


def test_a_clock_that_runs_slow_falls_behind() -> None:
    """The sign says which way."""
    drift = Drift()
    watch(drift, 1200, rate=0.99)
    assert drift.reading.per_hour_s == pytest.approx(-36, abs=2)
    assert drift.reading.ahead_s == pytest.approx(-11.4, abs=0.7)


def test_jitter_and_a_burst_at_the_opening_are_no_drift() -> None:
    """Each picture comes up to 2 s late, and the first five seconds come at once."""
    drift, draw = Drift(), random.Random(5)
    for tick in range(50):
        drift.note(1000.0, tick / 10)
    for tick in range(50, 12_000):
        drift.note(995.0 + tick / 10 + 2 * draw.random() ** 2, tick / 10)
    assert drift.reading.per_hour_s == pytest.approx(0, abs=0.5)
    assert drift.reading.ahead_s == pytest.approx(0, abs=0.05)


def test_a_link_that_cannot_keep_up() -> None:
    """Pictures that come later and later are stream time that falls behind."""
    drift = Drift()
    watch(drift, 1200, late_s=lambda now_s: now_s / 100)
    assert (drift.reading.per_hour_s or 0) < -30


def test_nothing_is_claimed_too_early() -> None:
    """Before 30 s nothing, before five minutes no rate; and after a new opening nothing again."""
    drift = Drift()
    watch(drift, 25)
    assert drift.reading == DriftReading(ahead_s=None, per_hour_s=None)
    watch(drift, 200)
    assert drift.reading.ahead_s is not None
    assert drift.reading.per_hour_s is None
    drift.restart()
    assert drift.reading == DriftReading()
    watch(drift, 1200, rate=1.001)
    assert drift.reading.per_hour_s == pytest.approx(3.6, abs=0.2)
