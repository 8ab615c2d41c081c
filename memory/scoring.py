"""Attention mass: how much some queries look at each key. What retention ranks by and what evidence is counted from.

LiveVLM (arXiv 2505.15269), scoring of Vision Sink Bucketing: W = softmax(Q K^T / sqrt(D)), S = mean of W over the
queries. The paper leaves open the scale, the mask among the queries' own tokens and the pooling over heads; here:
1/sqrt(D), causal, mean over heads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def attention_mass(queries: Tensor, keys: Tensor, *, own: bool = True) -> Tensor:
    """One layer: queries (H, R, D) of the last R of N keys (G, N, D) -> mean attention on each key (N,), float32, summing to 1.

    Both must carry positions, or neither. The softmax is over all keys and causal among the last R, as in the model's
    own forward pass. own: if not, the queries belong to tokens that follow the keys and are not among them, and each sees
    all. Memory: H * R * N * 4 bytes.
    """
    heads, count, head_dim = queries.shape
    kv_heads, tokens, _ = keys.shape
    assert heads % kv_heads == 0 and (count <= tokens or not own), (queries.shape, keys.shape)
    grouped = queries.float().reshape(kv_heads, -1, head_dim)
    logits = grouped @ keys.float().transpose(1, 2) / math.sqrt(head_dim)
    logits = logits.view(heads, count, tokens)
    if own:
        later = torch.ones(count, count, dtype=torch.bool, device=keys.device).triu(1)
        logits[..., tokens - count :].masked_fill_(later, -math.inf)
    return logits.softmax(-1).mean(dim=(0, 1))
