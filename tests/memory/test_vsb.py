"""Vision Sink Bucketing: which tokens stay."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import BucketBy, VisionSinkBucketing
from tests.memory.making import long_term


def numbers(tokens: int, layers: int = 1) -> torch.Tensor:
    """Nothing dropped so far: places in the stream are places in the memory."""
    return torch.arange(tokens).expand(layers, tokens)


def keep(
    vsb: VisionSinkBucketing, scores: torch.Tensor, budget: int, places: torch.Tensor
) -> torch.Tensor:
    """The indices that stay of tokens with these scores and places in the stream."""
    layers, tokens = scores.shape
    memory = long_term([1] * tokens, scores=scores, numbers=places, layers=layers)
    return vsb.keep(memory, budget).places


def naive(
    scores: list[int], places: list[int], span: int, vsb: VisionSinkBucketing, budget: int
) -> list[int]:
    """The method as it is told: fill buckets one token at a time."""
    buckets = max(1, budget // vsb.bucket_capacity)
    order = sorted(range(len(scores)), key=lambda token: (-scores[token], token))
    top = round(vsb.top_ratio * budget)
    kept, filled = order[:top], [0] * buckets
    for token in kept:
        filled[places[token] * buckets // span] += 1
    for token in order[top:]:
        bucket = places[token] * buckets // span
        if len(kept) < budget and filled[bucket] < vsb.bucket_capacity:
            kept.append(token)
            filled[bucket] += 1
    kept += [token for token in order if token not in kept][: budget - len(kept)]
    return sorted(kept)


@settings(deadline=None)
@given(
    tokens=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), min_size=1, max_size=60),
    budget=st.integers(1, 60),
    capacity=st.integers(1, 5),
    ratio=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    by=st.sampled_from(["index", "stream"]),
)
def test_selection_equals_filling_buckets_one_by_one(
    tokens: list[tuple[int, int]], budget: int, capacity: int, ratio: float, by: BucketBy
) -> None:
    """The vectorised selection keeps exactly what the slow telling of the method keeps, ties included, however much of the
    stream was dropped before.
    """
    scores, steps = [score for score, _ in tokens], [step for _, step in tokens]
    places = [sum(steps[: token + 1]) for token in range(len(steps))]
    vsb = VisionSinkBucketing(capacity, ratio, by)
    kept = keep(vsb, torch.tensor([scores], dtype=torch.float32), budget, torch.tensor([places]))[0]
    if budget >= len(scores):
        assert kept.tolist() == list(range(len(scores)))
    elif by == "stream":
        assert kept.tolist() == naive(scores, places, places[-1] + 1, vsb, budget)
    else:
        assert kept.tolist() == naive(scores, list(range(len(scores))), len(scores), vsb, budget)


@settings(deadline=None)
@given(tokens=st.integers(1, 200), budget=st.integers(1, 200), seed=st.integers(0, 99))
def test_kept_indices_fill_the_budget_and_rise(tokens: int, budget: int, seed: int) -> None:
    """Never more than the budget, never fewer than there are, no index twice, in stream order."""
    scores = torch.rand(3, tokens, generator=torch.Generator().manual_seed(seed))
    kept = keep(VisionSinkBucketing(), scores, budget, numbers(tokens, 3))
    assert kept.shape == (3, min(budget, tokens))
    assert (kept.diff(dim=1) > 0).all()


def test_one_bucket_is_top_k() -> None:
    """With a single bucket as large as the budget only the score counts."""
    scores = torch.rand(1, 100, generator=torch.Generator().manual_seed(1))
    vsb = VisionSinkBucketing(bucket_capacity=20, top_ratio=0.0)
    kept = keep(vsb, scores, 20, numbers(scores.shape[1]))
    assert kept[0].tolist() == scores[0].topk(20).indices.sort().values.tolist()


def test_capacity_one_without_sinks_covers_the_stream_evenly() -> None:
    """With capacity 1 and no top tokens every bucket keeps its best token: no stretch of the stream is lost."""
    scores = torch.rand(1, 120, generator=torch.Generator().manual_seed(2))
    vsb = VisionSinkBucketing(bucket_capacity=1, top_ratio=0.0)
    kept = keep(vsb, scores, 12, numbers(scores.shape[1]))
    assert [place // 10 for place in kept[0].tolist()] == list(range(12))


def test_sinks_stay_even_in_a_full_bucket() -> None:
    """The first phase ignores capacity: two vision sinks side by side both stay."""
    scores = torch.full((1, 100), 0.1)
    scores[0, 41] = scores[0, 42] = 9.0
    vsb = VisionSinkBucketing(bucket_capacity=1, top_ratio=0.5)
    kept = keep(vsb, scores, 10, numbers(scores.shape[1]))
    assert {41, 42} <= set(kept[0].tolist())


def test_the_papers_example_of_a_bucket() -> None:
    """Token 256 of 1000 in ten buckets lies in the third (counted from one), as in the paper."""
    scores = torch.zeros(1, 1000)
    scores[0, 255] = 1.0
    vsb = VisionSinkBucketing(bucket_capacity=1, top_ratio=0.0)
    kept = keep(vsb, scores, 10, numbers(scores.shape[1]))[0].tolist()
    assert [place for place in kept if 200 <= place < 300] == [255]


def test_by_stream_every_stretch_keeps_its_share_for_ever() -> None:
    """Compacted again and again, a long stream stays covered from its beginning; by index its old parts thin out."""
    oldest = {}
    for by in ("stream", "index"):
        vsb = VisionSinkBucketing(1, 0.0, by)  # type: ignore[arg-type]
        held = torch.arange(64)[None]
        for arrived in range(64, 4096, 16):
            held = torch.cat((held, torch.arange(arrived, arrived + 16)[None]), dim=1)
            scores = torch.rand(held.shape, generator=torch.Generator().manual_seed(arrived))
            held = held.gather(1, keep(vsb, scores, 64, held))
        oldest[by] = int((held < 2048).sum())
    assert oldest["stream"] >= 16
    assert oldest["index"] == 0
