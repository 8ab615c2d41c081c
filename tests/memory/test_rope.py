"""Rotary positions on the way out."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memory import Rope
from tests.memory.making import ROPE

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 4e-2}


def naive(x: list[float], position: int) -> list[float]:
    """One vector, pair by pair."""
    half = len(x) // 2
    out = [0.0] * len(x)
    for pair in range(half):
        angle = position * 10_000.0 ** (-pair / half)
        a, b = x[pair], x[pair + half]
        out[pair] = a * math.cos(angle) - b * math.sin(angle)
        out[pair + half] = b * math.cos(angle) + a * math.sin(angle)
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rotation_equals_turning_pair_by_pair(dtype: torch.dtype) -> None:
    """Every token is turned by its own position, whatever the dtype is stored in."""
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    positions = torch.tensor([0, 1, 7, 100, 4000])
    turned = ROPE.rotate(x, positions)
    assert turned.dtype == dtype
    for head in range(2):
        for token, position in enumerate(positions.tolist()):
            expected = torch.tensor(naive(x[head, token].float().tolist(), position))
            torch.testing.assert_close(
                turned[head, token].float(), expected, atol=TOLERANCE[dtype], rtol=1e-3
            )


@given(shift=st.integers(0, 5000), gap=st.integers(0, 500))
def test_only_the_distance_counts(shift: int, gap: int) -> None:
    """The dot product of a rotated query and key depends on their distance alone: that is why re-rotating is allowed."""
    generator = torch.Generator().manual_seed(gap)
    q, k = torch.randn(2, 1, 8, generator=generator)
    far = (
        ROPE.rotate(q, torch.tensor([shift + gap])) * ROPE.rotate(k, torch.tensor([shift]))
    ).sum()
    near = (ROPE.rotate(q, torch.tensor([gap])) * ROPE.rotate(k, torch.tensor([0]))).sum()
    torch.testing.assert_close(far, near, atol=3e-3, rtol=1e-3)


def test_rotation_and_back_is_the_identity() -> None:
    """Turning by a position and by its negative gives the key back."""
    x = torch.randn(3, 50, 8, generator=torch.Generator().manual_seed(3))
    positions = torch.arange(50) * 37
    torch.testing.assert_close(
        ROPE.rotate(ROPE.rotate(x, positions), -positions), x, atol=1e-4, rtol=1e-4
    )


def test_scaling_multiplies() -> None:
    """A scaled variant's factor reaches the result."""
    x = torch.ones(1, 1, 8)
    assert torch.equal(Rope(ROPE.inv_freq, 2.0).rotate(x, torch.tensor([0])), 2 * x)
