"""Carrier tokens: which frames become one, and what it is made of."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import CarrierTokens, ReadAll, Uniform
from tests.memory.making import block, long_term, memory


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=10),
    budget=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_the_oldest_frames_become_their_mean_until_it_fits(
    sizes: list[int], budget: int, seed: int
) -> None:
    """One frame after the other is merged, from the oldest, and no more than needed; where that is not enough, all are, and
    as many carriers stay as fit.
    """
    shown = long_term(sizes, layers=2, seed=seed)
    kept = CarrierTokens().keep(shown, budget)
    ends = torch.tensor(sizes).cumsum(0).tolist()
    expected, merged = list(range(len(shown))), 0
    while len(expected) > budget and merged < len(sizes):
        gone = range(ends[merged] - sizes[merged], ends[merged] - 1)
        expected = [token for token in expected if token not in gone]
        merged += 1
    if len(expected) > budget:
        assert len(kept.places[0]) == budget
        assert set(kept.places[0].tolist()) <= set(expected)
    else:
        assert kept.places.tolist() == [expected] * 2
    already = [*(size > 1 for size in sizes), True].index(True)
    if already >= merged:
        assert kept.merged is None
        return
    assert kept.merged is not None
    assert kept.merged.at.tolist() == [[end - 1 for end in ends[already:merged]]] * 2
    for number in range(already, merged):
        frame = range(ends[number] - sizes[number], ends[number])
        for whole, means in ((shown.keys, kept.merged.keys), (shown.values, kept.merged.values)):
            mean = sum(whole[:, :, token] for token in frame) / len(frame)
            torch.testing.assert_close(means[:, :, number - already], mean)


def test_a_carrier_stays_as_it_is() -> None:
    """A frame is merged once: later compressions neither change its carrier nor lose what it said of the whole frame."""
    store = memory(CarrierTokens(), ReadAll(), budget=40, short=1, chunk=1)
    blocks = [block(1, first=number) for number in range(20)]
    for fresh in blocks:
        store.append(fresh)
    keys, frames = store.context().keys, store.frames[0].tolist()
    for number in range(3, 10):
        at = [place for place, frame in enumerate(frames) if frame == number]
        assert len(at) == 1
        torch.testing.assert_close(keys[:, :, at[0]], blocks[number].keys.mean(2))


def test_four_times_as_many_frames_are_remembered_and_then_thinned_evenly() -> None:
    """Frames of four tokens become four times as many as whole ones; on a stream too long for that they stay spread."""
    carried, whole = (
        memory(rule, ReadAll(), budget=64, short=1) for rule in (CarrierTokens(), Uniform())
    )
    for first in range(0, 64, 4):
        carried.append(block(4, first=first))
        whole.append(block(4, first=first))
    assert len(carried.frames[0, 3:-4].unique()) > 3 * len(whole.frames[0, 3:-4].unique())
    for first in range(64, 1000, 4):
        carried.append(block(4, first=first))
    held = carried.frames[0, 3:-4]
    assert len(held) == 64
    assert torch.cat((held, torch.tensor([1000]))).diff().max() <= 2.2 * 1000 / 64
