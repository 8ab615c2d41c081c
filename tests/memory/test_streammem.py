"""StreamMem: which tokens stay, and what a frame's prototype is."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import ReadAll, StreamMem, VisionSinkBucketing
from tests.memory.making import block, long_term, memory, question

PROXY = torch.zeros(1, 4, 2, 8)


def naive(scores: list[float], last: list[int], budget: int) -> list[int]:
    """The new frames' last tokens first, then the best; of equals the older."""
    order = sorted(
        range(len(scores)), key=lambda at: (at not in last, at not in last and -scores[at], at)
    )
    return sorted(order[:budget])


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    fresh=st.integers(0, 8),
    budget=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_prototypes_and_the_best_stay(sizes: list[int], fresh: int, budget: int, seed: int) -> None:
    """What stays is what the slow telling says, and each prototype is its frame's weighted mean, summed one by one."""
    fresh = min(fresh, len(sizes))
    ends = torch.tensor(sizes).cumsum(0).tolist()
    old = ([0, *ends])[len(sizes) - fresh]
    shown = long_term(sizes, fresh=ends[-1] - old, seed=seed)
    kept = StreamMem(PROXY).keep(shown, budget)
    if budget >= len(shown):
        assert kept.places[0].tolist() == list(range(len(shown)))
        return
    scores = shown.attention()[0].tolist()
    last = [end - 1 for end in ends if end > old]
    assert kept.places[0].tolist() == naive(scores, last, budget)
    if not fresh:
        assert kept.merged is None
        return
    assert kept.merged is not None
    assert kept.merged.at[0].tolist() == last
    for number, (size, end) in enumerate(zip(sizes[len(sizes) - fresh :], last, strict=True)):
        tokens = range(end + 1 - size, end + 1)
        total = sum(scores[token] for token in tokens)
        for whole, merged in ((shown.keys, kept.merged.keys), (shown.values, kept.merged.values)):
            mean = sum(whole[0, :, token] * (scores[token] / total) for token in tokens)
            torch.testing.assert_close(merged[0, :, number], mean)


def test_a_frame_that_nothing_looks_at_has_a_plain_mean() -> None:
    """Attention that rounds to nothing leaves no hole and no NaN."""
    shown = long_term([2, 2], scores=torch.tensor([[1.0, 3.0, 0.0, 0.0]]))
    merged = StreamMem(PROXY).keep(shown, 3).merged
    assert merged is not None
    torch.testing.assert_close(merged.keys[:, :, 1], shown.keys[:, :, 2:].mean(2))


def test_the_proxy_decides_and_not_the_newest_frames() -> None:
    """Another proxy keeps other tokens of the same stream, and neither keeps what the newest frames' queries do."""
    held = []
    for rule in (StreamMem(question(1)), StreamMem(question(2)), VisionSinkBucketing(32, 1.0)):
        store = memory(rule, ReadAll(), budget=32, short=1)
        for first in range(0, 48, 4):
            store.append(block(4, first=first))
        held.append(store._pool.numbers.tolist())
    assert held[0] != held[1]
    assert held[2] not in held[:2]


def test_every_new_frame_is_in_memory_once_it_leaves_the_newest() -> None:
    """However little the proxy looks at a frame, its prototype outlives the first compression, with what the frame held."""
    store = memory(StreamMem(question()), ReadAll(), budget=16, short=1, chunk=1)
    for number in range(30):
        fresh = block(1, first=number)
        store.append(type(fresh)(
            fresh.keys, torch.full_like(fresh.values, float(number)), fresh.queries,
            fresh.times, fresh.utcs, fresh.frames,
        ))  # fmt: skip
        for layer in store.frames if number > 4 else ():
            assert number - 1 in layer.tolist()
    values = store.context().values[:, 0, 3:, 0]
    torch.testing.assert_close(values, store.frames[:, 3:].float())
