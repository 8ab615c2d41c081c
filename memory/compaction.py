"""Compaction: what a retention is shown when the long-term memory holds too much."""

from __future__ import annotations

import torch
from torch import Tensor

from memory.pool import TokenPool
from memory.recall import Tiers
from memory.retention import LongTerm
from memory.rope import Rope
from memory.scoring import HeadPool, attention_mass


def long_term(
    pool: TokenPool,
    tiers: Tiers,
    rope: Rope,
    queries: Tensor,
    *,
    settled: int,
    heads: HeadPool = "mean",
) -> LongTerm:
    """The long-term tokens of a pool. queries: the newest tokens'. settled: how many a retention has seen before. heads: how
    the attention of several heads becomes one score.
    """
    long = slice(tiers.prompt, tiers.prompt + tiers.long)

    def attention(proxy: Tensor | None = None) -> Tensor:
        asked = queries if proxy is None else proxy
        scores = _scores(pool, rope, asked, own=proxy is None, heads=heads)
        return scores[:, long].to(pool.keys.device)

    return LongTerm(
        keys=pool.keys[:, :, long],
        values=pool.values[:, :, long],
        frames=pool.frames[:, long],
        numbers=pool.numbers[:, long] - tiers.prompt,
        patches=pool.patches[:, long],
        fresh=tiers.long - settled,
        recent_keys=pool.keys[:, :, long.stop :],
        recent_patches=pool.patches[:, long.stop :],
        attention=attention,
    )


def _scores(pool: TokenPool, rope: Rope, queries: Tensor, *, own: bool, heads: HeadPool) -> Tensor:
    """(L, N): the attention of queries (L, H, R, D) on all tokens: those of the newest tokens, rotated to where they
    stood when they met; or those of tokens that would come next.
    """
    tokens, asked = len(pool), queries.shape[2]
    first = tokens - asked if own else tokens
    here = torch.arange(first + asked, device=queries.device)
    rows = []
    for keys, query in zip(pool.keys, queries, strict=True):
        rotated = rope.rotate(keys.to(queries.device), here[:tokens])
        rows.append(attention_mass(rope.rotate(query, here[first:]), rotated, own=own, heads=heads))
    return torch.stack(rows)
