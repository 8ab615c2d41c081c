"""Rope: rotary positions (RoPE, arXiv 2104.09864), put on keys and queries as they leave the memory.

Stored keys have no position. Rotating always starts from them, never from an already rotated key, so nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotation by position: pair (i, i + D/2) of a head turns by position * inv_freq[i].

    inv_freq: (D/2,) float32, radians a position. scaling: what cosine and sine are multiplied with (1 but for scaled
    variants).
    """

    inv_freq: Tensor
    scaling: float = 1.0

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Positions (N,) -> cosine and sine (N, D/2), in float32: half precision could not hold position * frequency."""
        turn = positions.to(self.inv_freq.device, torch.float32)[:, None] * self.inv_freq
        return turn.cos() * self.scaling, turn.sin() * self.scaling

    def rotate(self, x: Tensor, positions: Tensor) -> Tensor:
        """Give x (..., N, D) the positions (N,). Computed in float32, returned in x's dtype."""
        return self.turn(x, self.angles(positions))

    def turn(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """As `rotate`, with the `angles` of the positions: those of a walk are the same in every layer."""
        cos, sin = angles
        first, second = x.float().chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(
            x.dtype
        )
