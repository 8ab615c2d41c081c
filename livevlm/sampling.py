"""TokenSampler: choose the next token from logits."""

from __future__ import annotations

import torch
from torch import Tensor

from livevlm.errors import LiveVLMError


class TokenSampler:
    """Greedy at temperature 0; otherwise nucleus sampling (Holtzman et al., arXiv 1904.09751), repeatable by its seed."""

    def __init__(self, *, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0) -> None:
        assert temperature >= 0 and 0 < top_p <= 1, (temperature, top_p)
        self._temperature, self._top_p = temperature, top_p
        self._generator = torch.Generator().manual_seed(seed)

    def next(self, logits: Tensor) -> int:
        """Logits (vocabulary,) -> an id. Raises LiveVLMError where they are no finite numbers."""
        most, likeliest = logits.max(-1)
        if not most.isfinite():
            raise LiveVLMError(
                "the model's numbers grew beyond its dtype; set model.dtype to float32, or bfloat16 on an accelerator"
            )
        if self._temperature == 0:
            return int(likeliest)
        likely, ids = (logits.float().cpu() / self._temperature).softmax(-1).sort(descending=True)
        # The smallest set of tokens that holds top_p of the probability; the likeliest is always in it.
        likely[likely.cumsum(0) - likely >= self._top_p] = 0.0
        return int(ids[torch.multinomial(likely, 1, generator=self._generator)])
