"""Sliding window and sink: which tokens stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import ReadAll, SlidingWindow
from tests.memory.making import block, long_term, memory


def naive(tokens: int, sink: int, budget: int) -> list[int]:
    """Drop the oldest that is not of the sink, one at a time; when only sink is left, its newest."""
    held = list(range(tokens))
    while len(held) > budget:
        held.pop(sink if len(held) > sink else -1)
    return held


@settings(deadline=None, max_examples=40)
@given(tokens=st.integers(1, 30), sink=st.integers(0, 12), budget=st.integers(0, 32))
def test_the_first_and_the_newest_stay(tokens: int, sink: int, budget: int) -> None:
    """What stays is what dropping the oldest beside the sink leaves."""
    places = SlidingWindow(sink).keep(long_term([1] * tokens, layers=2), budget).places
    assert places.tolist() == [naive(tokens, sink, budget)] * 2


@pytest.mark.parametrize("sink", [0, 6])
def test_the_sink_is_of_the_stream_for_ever(sink: int) -> None:
    """However long the stream: its first tokens and its last ones, and nothing between."""
    store = memory(SlidingWindow(sink), ReadAll(), budget=20, short=1)
    for first in range(0, 200, 4):
        store.append(block(4, first=first))
    numbers = [number - 3 for number in store._pool.numbers[1, 3:].tolist()]
    assert numbers == [*range(sink), *range(800 - 4 - (20 - sink), 800)]
