"""Descent: one step down the gradient at a time, with Muon for the matrices and AdamW for the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

CLIP = 1.0


def cosine(step: int, steps: int, peak: float, warmup: int = 50) -> float:
    """Learning rate at a step: linear warm-up, then a cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (
        0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    )


class Descent:
    """An optimizer over named parameters.

    Muon (Jordan 2024) orthogonalises the momentum of every hidden matrix, scaled so that AdamW's learning rates fit
    (Moonlight, arXiv 2502.16982); embeddings, convolutions, biases and norms go by AdamW.
    """

    def __init__(
        self, parameters: Iterable[tuple[str, nn.Parameter]], *, weight_decay: float = 0.05
    ) -> None:
        named = [(name, one) for name, one in parameters if one.requires_grad]
        matrices = [one for name, one in named if one.ndim == 2 and "embed" not in name]
        others = [one for name, one in named if one.ndim != 2 or "embed" in name]
        assert named, "nothing to train"
        self._parameters = [one for _, one in named]
        self._optimizers: list[torch.optim.Optimizer] = []
        if matrices:
            self._optimizers.append(
                torch.optim.Muon(
                    matrices, lr=0.0, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
                )
            )
        if others:
            self._optimizers.append(
                torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
            )

    def step(self, loss: Tensor, rate: float) -> None:
        """One step at a learning rate; the gradient's length is clipped."""
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, CLIP)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()

    def state(self) -> list[dict[str, Any]]:
        """What `restore` takes."""
        return [optimizer.state_dict() for optimizer in self._optimizers]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a state."""
        for optimizer, one in zip(self._optimizers, state, strict=True):
            optimizer.load_state_dict(one)
