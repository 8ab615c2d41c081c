"""The retention protocol."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Retention(Protocol):
    """Chooses what stays of the long-term memory."""

    @property
    def bounded(self) -> bool:
        """Whether the long-term memory is held to its budget; if not, `keep` is never called."""
        ...

    def keep(self, scores: Tensor, budget: int, numbers: Tensor) -> Tensor:
        """Scores (L, N) of the long-term tokens, N > budget -> (L, budget) indices that stay, rising in each layer.

        numbers: (L, N), each token's place in the whole stream, counted with all that were dropped since.
        """
        ...
