"""Position-agnostic Retrieval (PaR; LiveVLM v2, arXiv 2505.15269): the best pages of long-term memory, and all of short-term
memory.

The question's position-free query, pooled over its tokens and heads, is held against every page's mean key; the best
pages up to a share of the long-term budget are read, in stream order, at contiguous positions. Where the paper is
silent: each layer chooses its own pages, equally many; tokens behind the last whole page are read too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.readers.base import Choice, Shelf, join, nearest_pages, within
from memory.recall import TimeSpan


@dataclass(frozen=True, slots=True)
class PositionAgnosticRetrieval:
    """token_limit: how many long-term tokens are read at most (retrieval ratio times budget)."""

    token_limit: int
    page_tokens: int = 16

    def choose(self, shelf: Shelf, query: Tensor, span: TimeSpan | None) -> Choice:
        """The best pages, the unfinished page, and the short-term tier."""
        short = within(shelf, shelf.short, span)
        candidates = within(shelf, shelf.long, span)
        if candidates.shape[1] <= self.token_limit:
            return join(shelf, candidates, short)
        tail = slice(shelf.long.stop - shelf.tiers.long % self.page_tokens, shelf.long.stop)
        last = within(shelf, tail, span)
        pages = nearest_pages(
            shelf, query, (self.token_limit - last.shape[1]) // self.page_tokens, span
        )
        return join(shelf, torch.cat((pages, last), dim=1), short)
