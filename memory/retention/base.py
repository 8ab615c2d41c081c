"""The retention protocol, what a retention may look at, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Attention(Protocol):
    """How much queries look at each long-term token."""

    def __call__(self, proxy: Tensor | None = None) -> Tensor:
        """(L, N), float32: the mean over queries and heads, softmax over all that the memory holds, positions given.

        Asked by the newest tokens' own queries; or by a proxy's position-free queries (L, H, R, D), as if it came next.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTerm:
    """A long-term memory that holds too much: N tokens, oldest first. Views, which hold until it is compacted.

    keys, values: (L, G, N, D), the keys position-free. frames: (L, N), each token's frame. numbers: (L, N), its place in the
    whole stream, counted with all that were dropped since. patches: (L, N), how many tokens its frame had behind it.
    fresh: how many of the last tokens, whole frames, no retention has seen yet; they are the same in all layers.
    recent_keys (L, G, S, D) and recent_patches (L, S): the short-term tokens, which follow. attention: computed when called.
    """

    keys: Tensor
    values: Tensor
    frames: Tensor
    numbers: Tensor
    patches: Tensor
    fresh: int
    recent_keys: Tensor
    recent_patches: Tensor
    attention: Attention

    def __len__(self) -> int:
        return int(self.numbers.shape[1])

    @property
    def everything(self) -> Tensor:
        """The indices (L, N) of all tokens."""
        layers, tokens = self.numbers.shape
        return torch.arange(tokens, device=self.keys.device).expand(layers, tokens)


@dataclass(frozen=True, slots=True)
class Merged:
    """Tokens made of several: keys, values (L, G, K, D) come to rest at the indices `at` (L, K), in place of what was there."""

    at: Tensor
    keys: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True)
class Kept:
    """The indices (L, M) that stay, rising in each layer, equally many; and what is written to some of them first."""

    places: Tensor
    merged: Merged | None = None


class Retention(Protocol):
    """Chooses what stays of the long-term memory."""

    @property
    def bounded(self) -> bool:
        """Whether the long-term memory is held to its budget; if not, `keep` is never called."""
        ...

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """At most `budget` tokens a layer; all of them, unchanged, where no more are there."""
        ...


def best(scores: Tensor, count: int) -> Tensor:
    """The indices (L, count) of the highest scores (L, N), rising. Ties go to the older token."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    return order[:, :count].sort(dim=1).values
