"""Position-agnostic Retrieval (PaR; LiveVLM v2, arXiv 2505.15269): the best pages of long-term memory, and all of short-term
memory.

The question's position-free query, pooled over its tokens and heads, is held against every page's mean key; the best
pages up to a share of the long-term budget are read, in stream order, at contiguous positions. Where the paper is
silent: all layers read the same pages, or each chooses its own, equally many (MemoryOptions.shared_pages); tokens behind the
last whole page are read too.

With an archive, its pages are searched instead of the device's: it holds the same tokens, and those that retention dropped.
Of the device's own tokens only those take part that are older than the archive's oldest. Both are ranked together; how many
of the pages are the device's is the same in all layers, the mean of what each layer would choose.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.archive.archive import Archive
from memory.index import Found
from memory.kv import TimeSpan
from memory.pages import page_tokens_of
from memory.readers.base import (
    Choice,
    Shelf,
    join,
    nearest_pages,
    pages_inside,
    within,
)


@dataclass(frozen=True, slots=True)
class PositionAgnosticRetrieval:
    """token_limit: how many long-term tokens are read at most (retrieval ratio times budget)."""

    token_limit: int
    page_tokens: int = 16

    def choose(self, shelf: Shelf, query: Tensor, span: TimeSpan | None) -> Choice:
        """The best pages, the unfinished page, and the short-term tier."""
        if shelf.archive is not None:
            return self._with_archive(shelf, shelf.archive, query, span)
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

    def _with_archive(
        self, shelf: Shelf, archive: Archive, query: Tensor, span: TimeSpan | None
    ) -> Choice:
        assert archive.page_tokens == self.page_tokens, (archive.page_tokens, self.page_tokens)
        # Also while the archive reaches back to the beginning: so what the device holds does not grow once it no longer does.
        shelf.pages.sync(shelf.pool.keys[:, :, shelf.long])
        short = within(shelf, shelf.short, span)
        pages = archive.pages(span, shelf.short_number)
        tail = archive.tail(span, shelf.short_number)
        older = slice(shelf.long.start, shelf.long.start + _older(shelf, archive.first_number))
        room = max(0, self.token_limit - tail.numbers.shape[1])
        every = within(shelf, older, span)
        if every.shape[1] + len(pages) * self.page_tokens <= room:
            ids = torch.arange(pages.start, pages.stop).expand(query.shape[0], -1)
            return join(shelf, every, short, (archive.read(ids), tail))
        own, ids = _ranked(shelf, archive, query, span, older, pages, room // self.page_tokens)
        return join(
            shelf,
            torch.add(page_tokens_of(own, self.page_tokens), shelf.long.start),
            short,
            (archive.read(ids), tail),
        )


def _older(shelf: Shelf, number: int) -> int:
    """How many of the long-term tokens are older than the one of that number, in every layer."""
    return int((shelf.pool.numbers[:, shelf.long] < number).sum(1).min())


def _ranked(
    shelf: Shelf,
    archive: Archive,
    query: Tensor,
    span: TimeSpan | None,
    older: slice,
    pages: range,
    count: int,
) -> tuple[Tensor, Tensor]:
    """The best `count` of the device's pages among its older tokens and of the archive's pages: numbers (L, O) of the former,
    ids (L, A) of the latter, both in stream order.
    """
    own = _best_own(shelf, query, span, (older.stop - older.start) // archive.page_tokens, count)
    found = archive.search(query, min(count, len(pages)), pages)
    both = torch.cat((own.scores.cpu(), found.scores), dim=1)
    best = both.topk(min(count, both.shape[1]), dim=1).indices
    mine = round(float((best < own.scores.shape[1]).sum(1).float().mean()))
    mine = max(mine, best.shape[1] - found.pages.shape[1])
    rest = best.shape[1] - mine
    return (
        own.pages[:, :mine].cpu().sort(dim=1).values,
        found.pages[:, :rest].sort(dim=1).values,
    )


def _best_own(shelf: Shelf, query: Tensor, span: TimeSpan | None, pages: int, count: int) -> Found:
    """The best of the device's first `pages` pages."""
    nobody = Found(torch.zeros(query.shape[0], 0), torch.zeros(query.shape[0], 0, dtype=torch.long))
    if pages == 0:
        return nobody
    allowed = pages_inside(shelf, span)
    allowed[:, pages:] = False
    available = min(count, shelf.pages.available(allowed))
    return shelf.pages.best(query, available, allowed) if available else nobody
