"""Token reducers: from the vision tower's grid of tokens to the few that a frame costs.

A reducer belongs to one stream, since it may compare a frame with the one before.
"""

from __future__ import annotations

import math
from typing import Protocol

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cosine_similarity, interpolate

Grid = tuple[int, int]


class TokenReducer(Protocol):
    """Makes a frame's tokens fewer."""

    @property
    def most(self) -> int:
        """The most tokens that a frame is reduced to."""
        ...

    def reduce(self, grid: Tensor) -> Tensor:
        """The next frame's tokens (rows, columns, hidden) -> (N, hidden), 1 <= N <= most."""
        ...


class PoolReducer:
    """Pools the grid to a smaller one. To half its sides as LLaVA-OneVision does (bilinear),
    to any other size by averaging areas.
    """

    def __init__(self, target: Grid) -> None:
        assert min(target) >= 1, target
        self._target = target

    @property
    def most(self) -> int:
        """Rows times columns."""
        return self._target[0] * self._target[1]

    def reduce(self, grid: Tensor) -> Tensor:
        """(rows, columns, hidden) -> (most, hidden)."""
        rows, columns, hidden = grid.shape
        if (rows, columns) != self._target:
            planes = grid.permute(2, 0, 1)[None]
            if self._target == (math.ceil(rows / 2), math.ceil(columns / 2)):
                planes = interpolate(planes, size=self._target, mode="bilinear")
            else:
                planes = adaptive_avg_pool2d(planes, self._target)
            grid = planes[0].permute(1, 2, 0)
        return grid.reshape(-1, hidden)


class SimilarityDrop:
    """Drops tokens that are as good as those at the same place of the frame before: cosine similarity at or above the
    threshold.

    In the spirit of TimeChat-Online's differential token drop and CacheFlow; here after the projector. At least the
    token that changed most stays, so that every frame leaves a trace. The comparison is with the whole frame before,
    not with what was kept of it.
    """

    def __init__(self, inner: TokenReducer, threshold: float) -> None:
        assert 0 < threshold <= 1, threshold
        self._inner, self._threshold = inner, threshold
        self._before: Tensor | None = None

    @property
    def most(self) -> int:
        """All of the inner reducer's tokens: a first frame, or a cut."""
        return self._inner.most

    def reduce(self, grid: Tensor) -> Tensor:
        """(rows, columns, hidden) -> (N, hidden)."""
        tokens = self._inner.reduce(grid)
        before, self._before = self._before, tokens
        if before is None:
            return tokens
        alike = cosine_similarity(tokens.float(), before.float(), dim=-1)
        changed = alike < self._threshold
        changed[alike.argmin()] = True
        return tokens[changed]


def pooled_grid(own: Grid, tokens: int) -> Grid:
    """The grid for so many tokens a frame, as near to a square as divides evenly; 0 is the model's own."""
    if tokens == 0:
        return own
    rows = next(rows for rows in range(math.isqrt(tokens), 0, -1) if tokens % rows == 0)
    return rows, tokens // rows


def make_reducer(own: Grid, *, tokens: int, similarity: float) -> TokenReducer:
    """A stream's reducer: pooling to so many tokens, then, above 0, the similarity drop."""
    pool = PoolReducer(pooled_grid(own, tokens))
    return SimilarityDrop(pool, similarity) if similarity > 0 else pool
