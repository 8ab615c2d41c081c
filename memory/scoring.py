"""Attention mass: how much some queries look at each key. What retention ranks by and what evidence is counted from.

LiveVLM (arXiv 2505.15269), scoring of Vision Sink Bucketing: W = softmax(Q K^T / sqrt(D)), S = mean of W over the
queries. The paper leaves open the scale, the mask among the queries' own tokens and the pooling over heads; here:
1/sqrt(D), causal, and the mean over heads, or for scoring by choice the head that looks most.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

HeadPool = Literal["mean", "max"]


def attention_mass(
    queries: Tensor, keys: Tensor, *, own: bool = True, heads: HeadPool = "mean"
) -> Tensor:
    """One layer: queries (H, R, D) of the last R of N keys (G, N, D) -> mean attention on each key (N,), float32; the mean over
    heads sums to 1.

    Both must carry positions, or neither. The softmax is over all keys and causal among the last R, as in the model's
    own forward pass. own: if not, the queries belong to tokens that follow the keys and are not among them, and each sees
    all. Memory: H * R * N * 4 bytes.
    """
    query_heads, count, head_dim = queries.shape
    kv_heads, tokens, _ = keys.shape
    assert query_heads % kv_heads == 0 and (count <= tokens or not own), (queries.shape, keys.shape)
    grouped = queries.float().reshape(kv_heads, -1, head_dim)
    logits = grouped @ keys.float().transpose(1, 2) / math.sqrt(head_dim)
    logits = logits.view(query_heads, count, tokens)
    if own:
        later = torch.ones(count, count, dtype=torch.bool, device=keys.device).triu(1)
        logits[..., tokens - count :].masked_fill_(later, -math.inf)
    of_heads = logits.softmax(-1).mean(dim=1)
    return of_heads.mean(dim=0) if heads == "mean" else of_heads.amax(dim=0)
