"""KVShape and KVBlock: the keys and values of a few new tokens, and the invariants of their shapes.

One alphabet everywhere: L layers, H query heads, G kv heads, N tokens, D head dim, R scoring queries, C page tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TimeSpan = tuple[float, float]  # stream seconds, both ends included


@dataclass(frozen=True, slots=True)
class KVShape:
    """What a model's keys and values look like."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int

    def __post_init__(self) -> None:
        assert self.heads % self.kv_heads == 0, (
            f"{self.heads} query heads do not share {self.kv_heads} kv heads"
        )
        assert self.head_dim % 2 == 0, (
            f"rotary positions need an even head dim, not {self.head_dim}"
        )

    def bytes_per_token(self, dtype: torch.dtype) -> int:
        """Bytes of one token's keys and values over all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim * dtype.itemsize


@dataclass(frozen=True, slots=True)
class KVBlock:
    """New tokens in stream order.

    keys, values: (L, G, N, D), the keys without position (before RoPE). queries: (L, H, R, D), position-free queries of
    the last R of these tokens, R <= N. times, utcs: (N,) float64, each token's stream seconds and POSIX seconds.
    frames: (N,) int64, the running number of the token's frame, never falling.
    """

    keys: Tensor
    values: Tensor
    queries: Tensor
    times: Tensor
    utcs: Tensor
    frames: Tensor

    def __post_init__(self) -> None:
        layers, kv_heads, tokens, head_dim = self.keys.shape
        assert self.values.shape == self.keys.shape, (self.values.shape, self.keys.shape)
        assert self.queries.shape[0] == layers and self.queries.shape[3] == head_dim, (
            self.queries.shape
        )
        assert self.queries.shape[1] % kv_heads == 0 and self.queries.shape[2] <= tokens, (
            self.queries.shape
        )
        for meta in (self.times, self.utcs, self.frames):
            assert meta.shape == (tokens,), (meta.shape, tokens)
        assert (
            self.times.dtype == self.utcs.dtype == torch.float64
            and self.frames.dtype == torch.int64
        )
        assert bool((self.frames.diff() >= 0).all()), "tokens of a block are not in stream order"

    def __len__(self) -> int:
        return int(self.keys.shape[2])
