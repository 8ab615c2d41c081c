"""Vision Sink Bucketing (LiveVLM v2, arXiv 2505.15269, method section on VSB).

The N tokens of a layer fall into M/B position-ordered buckets of capacity B, M being the budget. First the top R tokens
by score stay, the vision sinks; then, by descending score, any token whose bucket still has room; until M stay.

What the paper leaves open, and what is done here: the first phase ignores the buckets' capacity but counts toward it; a
token's position is its index in the present long-term memory, so that old parts thin out geometrically; layers choose
for themselves, heads of a layer together; should the buckets not fill the budget (M not divisible by B) the best of the
rest do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class VisionSinkBucketing:
    """bucket_capacity: B. top_ratio: R as a share of the budget."""

    bucket_capacity: int = 1
    top_ratio: float = 0.5
    bounded = True

    def __post_init__(self) -> None:
        assert self.bucket_capacity >= 1, self.bucket_capacity
        assert 0 <= self.top_ratio <= 1, self.top_ratio

    def keep(self, scores: Tensor, budget: int) -> Tensor:
        """Scores (L, N) -> (L, min(budget, N)) rising indices. Ties go to the older token."""
        layers, tokens = scores.shape
        if budget >= tokens:
            return torch.arange(tokens, device=scores.device).expand(layers, tokens)
        rank = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        has_room = self._rank_in_bucket(rank, budget) < self.bucket_capacity
        phase = torch.where(rank < round(self.top_ratio * budget), 0, torch.where(has_room, 1, 2))
        order = (phase * tokens + rank).argsort(dim=1)
        return order[:, :budget].sort(dim=1).values

    def _rank_in_bucket(self, rank: Tensor, budget: int) -> Tensor:
        """How many better tokens share each token's bucket: (L, N)."""
        layers, tokens = rank.shape
        buckets = max(1, budget // self.bucket_capacity)
        place = torch.arange(tokens, device=rank.device)
        bucket = place * buckets // tokens
        # Buckets are contiguous: sorting by (bucket, rank) leaves each bucket's tokens in its own places, best first.
        order = (bucket * tokens + rank).argsort(dim=1)
        first = torch.searchsorted(bucket, bucket)
        within = torch.empty_like(rank)
        return within.scatter_(1, order, (place - first).expand(layers, tokens))
