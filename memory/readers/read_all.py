"""Everything read: all that the memory holds, in stream order.
With everything kept this is the foundation model on the whole video.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from memory.kv import TimeSpan
from memory.readers.base import Choice, Shelf, join, within


@dataclass(frozen=True, slots=True)
class ReadAll:
    """No retrieval."""

    page_tokens: int = 16

    def choose(self, shelf: Shelf, query: Tensor, span: TimeSpan | None) -> Choice:
        """All tokens within the span."""
        return join(shelf, within(shelf, shelf.long, span), within(shelf, shelf.short, span))
