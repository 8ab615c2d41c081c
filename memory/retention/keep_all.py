"""Everything kept: the reference that no method may claim to beat by forgetting. Memory grows with the stream."""

from __future__ import annotations

import torch
from torch import Tensor


class KeepAll:
    """No token is ever dropped."""

    bounded = False

    def keep(self, scores: Tensor, budget: int, numbers: Tensor) -> Tensor:
        """All indices."""
        layers, tokens = scores.shape
        return torch.arange(tokens, device=scores.device).expand(layers, tokens)
