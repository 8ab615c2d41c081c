"""Stream time from the stamps that sources really give."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.timeline import Stamper, Timeline

STEP = 0.04


def file_times(stamps: list[float | None]) -> list[float]:
    timeline = Timeline(live=False, interval_s=STEP)
    return [round(timeline.at(stamp, 0.0), 6) for stamp in stamps]


def live_times(stamps: list[float | None], arrivals: list[float]) -> list[float]:
    timeline = Timeline(live=True, interval_s=STEP)
    return [round(timeline.at(*pair), 6) for pair in zip(stamps, arrivals, strict=True)]


def test_time_starts_at_zero_wherever_the_stamps_do() -> None:
    """A recording cut out of a day begins at 0 all the same."""
    assert file_times([86400.0, 86400.04, 86401.0]) == [0.0, 0.04, 1.0]


def test_missing_stamps_take_the_usual_step() -> None:
    """RTSP gives its first picture none; raw streams give none at all."""
    assert file_times([None, 5.0, 5.04]) == [0.0, 0.04, 0.08]
    assert file_times([None] * 4) == [0.0, 0.04, 0.08, 0.12]
    assert file_times([1.0, None, 9.0, 9.1]) == [0.0, 0.04, 0.08, 0.18]


def test_repeated_and_slightly_disordered_stamps_let_time_stand() -> None:
    """Time never falls, and is right again as soon as the stamps are."""
    assert file_times([0.0, 0.04, 0.04, 0.02, 0.12]) == [0.0, 0.04, 0.04, 0.04, 0.12]


def test_a_jump_back_is_stepped_over() -> None:
    """Two recordings joined into one file: time goes on."""
    assert file_times([0.0, 50.0, 0.0, 1.0]) == [0.0, 50.0, 50.04, 51.04]


def test_an_absurd_jump_ahead_is_stepped_over_and_an_honest_gap_is_not() -> None:
    """A wrapped counter is 26 hours; a camera that records only movement may leave out minutes."""
    assert file_times([0.0, 95443.0, 95443.04]) == [0.0, 0.04, 0.08]
    assert file_times([0.0, 600.0]) == [0.0, 600.0]


def test_a_live_jump_is_replaced_by_the_time_that_passed() -> None:
    """A camera that sets its clock must not move the stream by a day, either way."""
    assert live_times([0.0, 0.5, 90000.0, 90000.5], [7.0, 7.5, 8.25, 8.75]) == [
        0.0,
        0.5,
        1.25,
        1.75,
    ]
    assert live_times([500.0, 500.5, 3.0], [7.0, 7.5, 9.5]) == [0.0, 0.5, 2.5]


def test_a_live_burst_keeps_the_cameras_own_time() -> None:
    """Pictures held up on the way arrive together, but were not taken together."""
    assert live_times([0.0, 1.0, 2.0, 3.0], [0.0, 3.0, 3.0, 3.0]) == [0.0, 1.0, 2.0, 3.0]


_STAMP = st.none() | st.floats(-1e6, 1e6)


@given(st.booleans(), st.lists(st.tuples(_STAMP, st.floats(0, 1e5)), max_size=60))
def test_time_never_falls(live: bool, pictures: list[tuple[float | None, float]]) -> None:
    """Whatever the stamps do, memory and answers may rely on time that starts at 0 and never falls."""
    timeline = Timeline(live=live, interval_s=STEP)
    times = [timeline.at(stamp, arrived) for stamp, arrived in pictures]
    assert times == sorted(times)
    assert all(math.isfinite(time) for time in times)
    assert not times or times[0] == 0.0


def test_the_decoder_order_is_taken_where_presentation_runs_back() -> None:
    """Some AVI files give wrong presentation stamps, in turns ahead and back."""
    stamper = Stamper()
    pairs = [(1, 1), (2, 2), (4, 3), (3, 4), (5, 5), (7, 6), (6, 7)]
    assert [stamper.choose(*pair) for pair in pairs] == [1, 2, 4, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("pairs", "chosen"),
    [
        ([(0.0, 0.1), (0.2, 0.3)], [0.0, 0.2]),
        ([(None, 0.1), (0.2, None)], [0.1, 0.2]),
        ([(None, None)], [None]),
        ([(1.0, 1.0), (0.0, 0.0), (0.5, 0.5)], [1.0, 0.0, 0.5]),
    ],
)
def test_presentation_stamps_come_first(
    pairs: list[tuple[float | None, float | None]], chosen: list[float | None]
) -> None:
    """They are what the picture's maker meant; the other stamp fills in."""
    stamper = Stamper()
    assert [stamper.choose(*pair) for pair in pairs] == chosen
