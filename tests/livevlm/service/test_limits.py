"""What one client may do, by a clock that the test moves: what is let through, what is refused, and who is closed."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from livevlm.errors import RateLimited
from livevlm.service.limits import (
    BURST_S,
    MALFORMED,
    RATE_LIMITED,
    Allowance,
    Bucket,
    Limits,
    Window,
)

STEPS = st.lists(st.integers(0, 5000).map(lambda ms: ms / 1000), min_size=1, max_size=60)
RATES = st.sampled_from([0.5, 1.0, 3.0, 50.0])


class Clock:
    """Seconds that go by when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(STEPS, RATES)
def test_no_stretch_of_time_lets_more_through_than_the_rate_and_one_burst(
    steps: list[float], rate: float
) -> None:
    """However messages are spaced: between any two moments at most burst + rate * time are taken."""
    clock = Clock()
    bucket = Bucket(rate, 4 * rate + 1, clock)
    taken: list[float] = []
    for step in steps:
        clock.now += step / rate
        if not bucket.take():
            taken.append(clock.now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = 4 * rate + 1 + rate * (taken[last] - taken[first])
            assert last - first + 1 <= allowed + 1e-6


@given(STEPS, RATES)
def test_who_keeps_to_the_rate_is_never_refused(steps: list[float], rate: float) -> None:
    """A client that leaves 1 / rate between messages never hears of the limit."""
    clock = Clock()
    bucket = Bucket(rate, max(1.0, BURST_S * rate), clock)
    for step in steps:
        assert bucket.take() == 0
        clock.now += (1 + step) / rate


@given(STEPS, RATES)
def test_after_the_time_that_was_told_the_next_one_is_taken(
    steps: list[float], rate: float
) -> None:
    """retry_after_ms is true, and no longer than needed."""
    clock = Clock()
    bucket = Bucket(rate, 2.0, clock)
    wait_s = 0.0
    for step in steps:
        clock.now += step / (10 * rate)
        wait_s = bucket.take()
    assume(wait_s > 0)
    early = Bucket(rate, 2.0, clock)
    early.level = bucket.level
    clock.now += wait_s * 1.001
    assert bucket.take() == 0
    clock.now -= wait_s * 0.002
    early.take()
    assert early.level < 0


@given(STEPS, st.integers(1, 6))
def test_a_window_is_exact(steps: list[float], most: int) -> None:
    """As many as may be in any minute, and every one that may be."""
    clock = Clock()
    window = Window(most, 60, clock)
    taken: list[float] = []
    for step in steps:
        clock.now += 5 * step
        wait_s = window.take()
        recent = [at for at in taken if clock.now - at < 60]
        assert (wait_s == 0) == (len(recent) < most)
        if wait_s == 0:
            taken.append(clock.now)
        else:
            assert wait_s == pytest.approx(recent[0] + 60 - clock.now)


def test_who_sends_too_fast_is_told_and_who_goes_on_is_closed() -> None:
    """A burst is taken, then each is refused, then the client is closed; who waits instead is taken again."""
    clock = Clock()
    flood, patient = (Allowance(Limits(messages_per_s=10), clock) for _ in range(2))
    for allowance in (flood, patient):
        assert [allowance.message() for _ in range(40)] == [None] * 40
        refused = allowance.message()
        assert isinstance(refused, RateLimited)
        assert refused.retry_after_s == pytest.approx(0.2)
    refusals = 1
    while flood.end is None:
        assert flood.message() is not None
        refusals += 1
    assert (flood.end.code, refusals) == (RATE_LIMITED, 40)
    clock.now += 0.2
    assert patient.message() is None
    assert patient.end is None


def test_nonsense_is_taken_so_many_times_a_minute() -> None:
    """A client that errs now and then stays; one that says nothing else is closed."""
    clock = Clock()
    allowance = Allowance(Limits(malformed_per_minute=3), clock)
    for _ in range(20):
        allowance.malformed()
        clock.now += 20
    clock.now += 60
    for _ in range(3):
        allowance.malformed()
    assert allowance.end is None
    allowance.malformed()
    assert allowance.end is not None
    assert allowance.end.code == MALFORMED


def test_questions_a_minute() -> None:
    """The error says when the next one may be asked, and then it may."""
    clock = Clock()
    allowance = Allowance(Limits(questions_per_minute=2), clock)
    allowance.question()
    clock.now += 10
    allowance.question()
    with pytest.raises(RateLimited, match="2 questions a minute") as caught:
        allowance.question()
    clock.now += caught.value.retry_after_s
    allowance.question()


def test_without_limits_everything_goes() -> None:
    """0 is no limit."""
    allowance = Allowance(Limits(), lambda: 0.0)
    for _ in range(10_000):
        assert allowance.message() is None
        allowance.malformed()
        allowance.question()
    assert allowance.end is None
    assert not Limits().full(10**6)
    assert Limits().tokens(4096) == 4096


def test_clients_and_tokens_are_counted() -> None:
    """The last client that may come comes, and an answer is as long as was asked for, up to the limit."""
    limits = Limits(clients=2, answer_tokens=100)
    assert [limits.full(count) for count in (0, 1, 2, 3)] == [False, False, True, True]
    assert [limits.tokens(wanted) for wanted in (None, 99, 100, 101)] == [None, 99, 100, 100]
