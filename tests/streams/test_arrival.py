"""What the arrival of pictures shows, and what it does not."""

from __future__ import annotations

import pytest

from streams.arrival import Moment, arrival_report


def moments(
    count: int, *, delay_s: float = 0.0, rate: float = 1.0, late: dict[int, float] | None = None
) -> list[Moment]:
    """25 pictures a second of the camera's clock, which runs at `rate`; some come late by so much."""
    late = late or {}
    return [
        Moment(index / 25, 1000 + delay_s + index / 25 / rate + late.get(index, 0.0))
        for index in range(count)
    ]


def test_pictures_that_come_evenly() -> None:
    """No jitter, no drift; and how long all of them were on their way does not show."""
    for delay_s in (0.0, 5.0):
        report = arrival_report(moments(200, delay_s=delay_s))
        assert report is not None
        assert (report.jitter_s, report.spread_s) == pytest.approx((0.0, 0.0), abs=1e-9)
        assert report.drift_s_per_min == pytest.approx(0.0, abs=1e-6)
        assert report.age_s is None


def test_pictures_that_come_unevenly() -> None:
    """Every other one comes 20 ms late, one of them half a second."""
    report = arrival_report(moments(201, late={i: 0.02 for i in range(1, 200, 2)} | {101: 0.5}))
    assert report is not None
    assert report.jitter_s == pytest.approx(0.02 + 2 * 0.48 / 200, abs=1e-4)
    assert report.spread_s == pytest.approx(0.5)
    assert report.drift_s_per_min == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("rate", "grows"), [(0.99, 0.6), (1.01, -0.6)])
def test_a_clock_that_runs_otherwise(rate: float, grows: float) -> None:
    """A camera whose clock is a hundredth slow falls behind by 0.6 s a minute; a late picture is no drift."""
    report = arrival_report(moments(300, rate=rate, late={0: 1.0, 280: 1.0}))
    assert report is not None
    assert report.drift_s_per_min == pytest.approx(grows, rel=0.02)


def test_a_burst_at_the_opening_is_no_drift() -> None:
    """What a server held back comes at once, and is late by as much."""
    report = arrival_report(moments(200, late={i: 1 - i / 25 for i in range(25)}))
    assert report is not None
    assert report.drift_s_per_min == pytest.approx(0.0, abs=1e-6)
    assert report.spread_s == pytest.approx(1.0)


def test_a_jump_of_the_stamps_is_no_delay() -> None:
    """What lies before a jump and what lies behind it cannot be compared: the longer stretch counts."""
    before = [Moment(one.stamp_s + 5000, one.arrived_s) for one in moments(50)]
    after = [Moment(one.stamp_s, one.arrived_s + 2) for one in moments(150)]
    report = arrival_report(before + after)
    assert report is not None
    assert report.spread_s == pytest.approx(0.0, abs=1e-9)


def test_too_little() -> None:
    """Two pictures show nothing, a second no drift."""
    assert arrival_report([]) is None
    assert arrival_report(moments(2)) is None
    short = arrival_report(moments(25))
    assert short is not None
    assert short.drift_s_per_min is None


def test_the_age_is_the_usual_picture_s() -> None:
    """Where the camera tells its time; one late picture changes nothing."""
    told = [Moment(one.stamp_s, one.arrived_s, 0.25) for one in moments(99)]
    report = arrival_report([*told, Moment(4.0, 1009.0, 5.0)])
    assert report is not None
    assert report.age_s == 0.25
