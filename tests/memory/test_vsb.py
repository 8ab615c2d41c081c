"""Vision Sink Bucketing: which tokens stay."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from memory import VisionSinkBucketing


def naive(scores: list[float], budget: int, capacity: int, top: int) -> list[int]:
    """The method as it is told: fill buckets one token at a time."""
    tokens = len(scores)
    buckets = max(1, budget // capacity)
    order = sorted(range(tokens), key=lambda place: (-scores[place], place))
    kept = order[:top]
    filled = [0] * buckets
    for place in kept:
        filled[place * buckets // tokens] += 1
    for place in order[top:]:
        bucket = place * buckets // tokens
        if len(kept) < budget and filled[bucket] < capacity:
            kept.append(place)
            filled[bucket] += 1
    kept += [place for place in order if place not in kept][: budget - len(kept)]
    return sorted(kept)


@given(
    scores=st.lists(st.integers(0, 20), min_size=1, max_size=60),
    budget=st.integers(1, 60),
    capacity=st.integers(1, 5),
    ratio=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_selection_equals_filling_buckets_one_by_one(
    scores: list[int], budget: int, capacity: int, ratio: float
) -> None:
    """The vectorised selection keeps exactly what the slow telling of the method keeps, ties included."""
    kept = VisionSinkBucketing(capacity, ratio).keep(
        torch.tensor([scores], dtype=torch.float32), budget
    )
    if budget >= len(scores):
        assert kept[0].tolist() == list(range(len(scores)))
    else:
        assert kept[0].tolist() == naive(
            [float(score) for score in scores], budget, capacity, round(ratio * budget)
        )


@given(tokens=st.integers(1, 200), budget=st.integers(1, 200), seed=st.integers(0, 99))
def test_kept_indices_fill_the_budget_and_rise(tokens: int, budget: int, seed: int) -> None:
    """Never more than the budget, never fewer than there are, no index twice, in stream order."""
    scores = torch.rand(3, tokens, generator=torch.Generator().manual_seed(seed))
    kept = VisionSinkBucketing().keep(scores, budget)
    assert kept.shape == (3, min(budget, tokens))
    assert (kept.diff(dim=1) > 0).all()


def test_one_bucket_is_top_k() -> None:
    """With a single bucket as large as the budget only the score counts."""
    scores = torch.rand(1, 100, generator=torch.Generator().manual_seed(1))
    kept = VisionSinkBucketing(bucket_capacity=20, top_ratio=0.0).keep(scores, 20)
    assert kept[0].tolist() == scores[0].topk(20).indices.sort().values.tolist()


def test_capacity_one_without_sinks_covers_the_stream_evenly() -> None:
    """With capacity 1 and no top tokens every bucket keeps its best token: no stretch of the stream is lost."""
    scores = torch.rand(1, 120, generator=torch.Generator().manual_seed(2))
    kept = VisionSinkBucketing(bucket_capacity=1, top_ratio=0.0).keep(scores, 12)
    assert [place // 10 for place in kept[0].tolist()] == list(range(12))


def test_sinks_stay_even_in_a_full_bucket() -> None:
    """The first phase ignores capacity: two vision sinks side by side both stay."""
    scores = torch.full((1, 100), 0.1)
    scores[0, 41] = scores[0, 42] = 9.0
    kept = VisionSinkBucketing(bucket_capacity=1, top_ratio=0.5).keep(scores, 10)
    assert {41, 42} <= set(kept[0].tolist())


def test_the_papers_example_of_a_bucket() -> None:
    """Token 256 of 1000 in ten buckets lies in the third (counted from one), as in the paper."""
    scores = torch.zeros(1, 1000)
    scores[0, 255] = 1.0
    kept = VisionSinkBucketing(bucket_capacity=1, top_ratio=0.0).keep(scores, 10)[0].tolist()
    assert [place for place in kept if 200 <= place < 300] == [255]
