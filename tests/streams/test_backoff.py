"""The arithmetic of waiting before a lost source is opened again."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.backoff import Backoff


def test_delays_grow_to_the_longest_and_stay_there() -> None:
    """A camera that was unplugged costs one try in thirty seconds."""
    delays = list(islice(Backoff(jitter=0).delays(), 10))
    assert delays[:3] == [1.0, 1.6, pytest.approx(2.56)]
    assert delays[-2:] == [30.0, 30.0]


def test_each_sequence_begins_anew() -> None:
    """After a success the next loss is met with a short delay again."""
    backoff = Backoff(jitter=0)
    list(islice(backoff.delays(), 20))
    assert next(backoff.delays()) == 1.0


@given(st.floats(0, 0.999))
def test_jitter_stays_within_its_bounds(drawn: float) -> None:
    """It spreads cameras, but nothing waits longer than the longest or not at all."""
    backoff = Backoff(jitter=0.2, draw=lambda: drawn)
    for jittered, plain in zip(
        backoff.delays(), islice(Backoff(jitter=0).delays(), 12), strict=False
    ):
        assert 0.8 * plain <= jittered <= min(30.0, 1.2 * plain)
    assert 24.0 <= backoff.longest() <= 30.0


@pytest.mark.parametrize(
    "wrong", [{"first_s": 0}, {"first_s": 40}, {"factor": 0.5}, {"jitter": 1.0}]
)
def test_what_makes_no_sense(wrong: dict[str, float]) -> None:
    """Delays of zero would hammer the camera."""
    with pytest.raises(ValueError, match="back-off"):
        Backoff(**wrong)  # type: ignore[arg-type]
