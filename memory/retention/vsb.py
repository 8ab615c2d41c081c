"""Vision Sink Bucketing (LiveVLM v2, arXiv 2505.15269, method section on VSB).

The N tokens of a layer fall into M/B position-ordered buckets of capacity B, M being the budget. First the top R tokens
by score stay, the vision sinks; then, by descending score, any token whose bucket still has room; until M stay.

What the paper leaves open, and what is done here: layers choose for themselves, heads of a layer together; should the
buckets not fill the budget, the best of the rest do. Two more are choices. Whether the first phase may fill a bucket beyond
its capacity: where it may not, the two phases are one. What a token's position is: its place in the whole stream, so that
every stretch of the stream keeps its share for ever; or its index in the present memory, so that old stretches thin out
geometrically.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from memory.retention.base import Kept, LongTerm

BucketBy = Literal["stream", "index"]


@dataclass(frozen=True, slots=True)
class VisionSinkBucketing:
    """bucket_capacity: B. top_ratio: R as a share of the budget. bucket_by: what a token's position is. overfill: whether the
    first phase ignores the capacity; it counts toward it in any case.
    """

    bucket_capacity: int = 1
    top_ratio: float = 0.25
    bucket_by: BucketBy = "stream"
    overfill: bool = True
    bounded = True

    def __post_init__(self) -> None:
        assert self.bucket_capacity >= 1, self.bucket_capacity
        assert 0 <= self.top_ratio <= 1, self.top_ratio

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The sinks, then the best of each bucket. Ties go to the older token."""
        place = memory.everything
        tokens = len(memory)
        if budget >= tokens:
            return Kept(place)
        scores = memory.attention()
        rank = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        buckets = max(1, budget // self.bucket_capacity)
        if self.bucket_by == "index":
            bucket = place * buckets // tokens
        else:
            numbers = memory.numbers.to(scores.device)
            bucket = numbers * buckets // (numbers[:, -1:] + 1)
        has_room = _rank_in_bucket(rank, bucket) < self.bucket_capacity
        sinks = round(self.top_ratio * budget) if self.overfill else 0
        phase = torch.where(rank < sinks, 0, torch.where(has_room, 1, 2))
        order = (phase * tokens + rank).argsort(dim=1)
        return Kept(order[:, :budget].sort(dim=1).values)


def _rank_in_bucket(rank: Tensor, bucket: Tensor) -> Tensor:
    """How many better tokens share each token's bucket: (L, N). The buckets rise along N."""
    layers, tokens = rank.shape
    # Sorting by (bucket, rank) leaves each bucket's tokens in its own places, best first.
    order = (bucket * tokens + rank).argsort(dim=1)
    bucket = bucket.contiguous()
    first = torch.searchsorted(bucket, bucket)
    place = torch.arange(tokens, device=rank.device).expand(layers, tokens)
    return torch.empty_like(rank).scatter_(1, order, place - first)
