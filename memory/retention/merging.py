"""Merging: one token's keys and values made of a frame's."""

from __future__ import annotations

import torch
from torch import Tensor

# Keeps the weights of a frame that nothing looks at from being 0 of 0; far below any attention that can be told from none.
_LEAST = 1e-20


def frame_means(x: Tensor, frame: Tensor, weights: Tensor) -> Tensor:
    """Keys or values (L, G, N, D), each token's frame (N,), counted from 0 without a gap, and weights (L, N), of which none is
    negative -> each frame's weighted mean (L, G, F, D). Computed in float32, returned in x's dtype.

    Keys must have no position: rotated by different angles they would cancel out.
    """
    layers, heads, _, dim = x.shape
    frame = frame.to(x.device)
    count = int(frame[-1]) + 1
    weights = weights.float() + _LEAST
    total = torch.zeros(layers, count, device=x.device).index_add_(1, frame, weights)
    share = weights / total[:, frame]
    sums = torch.zeros(layers, heads, count, dim, device=x.device)
    return sums.index_add_(2, frame, x.float() * share[:, None, :, None]).to(x.dtype)
