"""Attention mass against a loop."""

from __future__ import annotations

import math

import pytest
import torch

from memory.scoring import attention_mass


def naive(queries: torch.Tensor, keys: torch.Tensor, *, own: bool) -> list[float]:
    """Query by query, key by key."""
    heads, count, dim = queries.shape
    tokens, share = keys.shape[1], heads // keys.shape[0]
    mass = [0.0] * tokens
    for head in range(heads):
        for row in range(count):
            visible = tokens - count + row + 1 if own else tokens
            logits = [
                float(queries[head, row] @ keys[head // share, key]) / math.sqrt(dim)
                for key in range(visible)
            ]
            top = max(logits)
            weights = [math.exp(logit - top) for logit in logits]
            for key, weight in enumerate(weights):
                mass[key] += weight / sum(weights) / (heads * count)
    return mass


@pytest.mark.parametrize("own", [True, False])
def test_mass_equals_the_loop(own: bool) -> None:
    """Grouped heads share keys in order, the corner among the queries' own tokens is causal, the softmax is over all keys;
    queries whose keys are not there see all.
    """
    generator = torch.Generator().manual_seed(0)
    queries, keys = (
        torch.randn(4, 3, 8, generator=generator),
        torch.randn(2, 11, 8, generator=generator),
    )
    torch.testing.assert_close(
        attention_mass(queries, keys, own=own),
        torch.tensor(naive(queries, keys, own=own)),
        atol=1e-6,
        rtol=1e-5,
    )


def test_mass_sums_to_one_in_half_precision() -> None:
    """Scores are computed in float32 even where keys are stored in half."""
    keys = torch.randn(2, 300, 8, generator=torch.Generator().manual_seed(1)).bfloat16()
    mass = attention_mass(keys[:, -2:].repeat(2, 1, 1), keys)
    assert mass.dtype == torch.float32
    torch.testing.assert_close(mass.sum(), torch.tensor(1.0))
