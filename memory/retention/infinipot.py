"""InfiniPot-V (arXiv 2506.15745): a part of the budget by Temporal-axis Redundancy (TaR), the rest by Value Norm (VaN).

TaR: a token whose key resembles the keys of the same patch in the recent frames says nothing new; those that resemble them
least stay. VaN: of the others, those with the largest values. Different here: the short-term tier plays the recent frames,
which the method keeps whole, and so is not counted in the budget; keys are compared without position; the heads of a layer
choose together, cosines and norms averaged over them; norms are not pooled over neighbours, since what is held is a grid no
longer after the first compression. A patch is known by its distance from its frame's end for as long as its token lives, so
that frames are compared patch by patch however often memory was compressed; where frames were thinned before they came
(`ingest.similarity`) that is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import normalize

from memory.retention.base import Kept, LongTerm, best


@dataclass(frozen=True, slots=True)
class InfiniPotV:
    """tar_ratio: the share of the budget that goes by temporal redundancy."""

    tar_ratio: float = 0.5
    bounded = True

    def __post_init__(self) -> None:
        assert 0 <= self.tar_ratio <= 1, self.tar_ratio

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The least redundant, then the largest of the rest. Ties go to the older token."""
        if budget >= len(memory):
            return Kept(memory.everything)
        novel = best(-redundancy(memory), round(self.tar_ratio * budget))
        norms = vector_norm(memory.values, dim=-1, dtype=torch.float32).mean(dim=1)
        return Kept(best(norms.scatter(1, novel, torch.inf), budget))


def redundancy(memory: LongTerm) -> Tensor:
    """(L, N): the mean cosine between a token's key and the recent keys of its patch, over recent frames and kv heads; 0 for a
    patch that no recent frame has.
    """
    device = memory.keys.device
    patches, recent = memory.patches.to(device), memory.recent_patches.to(device)
    # A layer at a time, so that not all keys lie in float32 at once.
    rows = zip(memory.keys, patches, memory.recent_keys, recent, strict=True)
    return torch.stack([_redundancy(*row) for row in rows])


def _redundancy(keys: Tensor, patches: Tensor, recent_keys: Tensor, recent: Tensor) -> Tensor:
    """One layer: keys (G, N, D) and their patches (N,), recent keys (G, S, D) and theirs (S,) -> (N,)."""
    directions = normalize(recent_keys.float(), dim=-1)
    most = 1 + int(torch.cat((patches, recent)).max())
    # The mean of cosines is the dot product with the mean of directions.
    sums = directions.new_zeros(keys.shape[0], most, keys.shape[2]).index_add_(
        1, recent, directions
    )
    counts = recent.bincount(minlength=most).clamp_min(1)
    means = sums / counts[:, None]
    return (normalize(keys.float(), dim=-1) * means[:, patches]).sum(-1).mean(dim=0)
