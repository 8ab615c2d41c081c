"""The last frames: which stay, and that nothing is held for others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from memory import LastFrames, ReadAll, SlidingWindow, Tiers
from tests.memory.making import SHAPE, block, long_term, memory


def naive(sizes: list[int], budget: int) -> list[int]:
    """The newest frames, taken whole one after the other until one does not fit."""
    tokens, held = sum(sizes), 0
    for size in reversed(sizes):
        if held + size > budget:
            break
        held += size
    return list(range(tokens - held, tokens))


@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=15), budget=st.integers(0, 50))
def test_the_newest_whole_frames_stay(sizes: list[int], budget: int) -> None:
    """As many as fit, and no part of a frame."""
    places = LastFrames().keep(long_term(sizes, layers=2), budget).places
    assert places.tolist() == [naive(sizes, budget)] * 2


def test_without_a_budget_only_the_newest_frames_are_held_and_have_room() -> None:
    """The device gives room for the prompt, the newest frames and what comes in, and for nothing else."""
    store = memory(LastFrames(), ReadAll(), budget=0, short=4, chunk=1)
    for number in range(50):
        store.append(block(1, first=number))
    assert store.tiers == Tiers(prompt=3, long=0, short=16)
    assert store.frames[0, 3:].unique().tolist() == [46, 47, 48, 49]
    per_token = SHAPE.bytes_per_token(store.context().keys.dtype)
    assert store._pool.nbytes == (3 + 16 + 4) * per_token
    assert store.stats().evicted_tokens == 46 * 4


def test_no_frame_is_held_in_part() -> None:
    """A window of tokens cuts through a frame, the last frames do not."""
    shown = long_term([4, 4, 4])
    assert LastFrames().keep(shown, 6).places.tolist() == [[8, 9, 10, 11]]
    assert SlidingWindow(0).keep(shown, 6).places.tolist() == [[6, 7, 8, 9, 10, 11]]
