"""The reader protocol, and what the readers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from memory.pages import PageTable, page_tokens_of
from memory.pool import TokenPool
from memory.recall import Tiers, TimeSpan


@dataclass(frozen=True, slots=True)
class Shelf:
    """A memory as a reader sees it: its tokens, where its tiers lie, and the page table of its long-term tier."""

    pool: TokenPool
    tiers: Tiers
    pages: PageTable

    @property
    def long(self) -> slice:
        """The places of the long-term tokens."""
        return slice(self.tiers.prompt, self.tiers.prompt + self.tiers.long)

    @property
    def short(self) -> slice:
        """The places of the short-term tokens."""
        return slice(self.tiers.prompt + self.tiers.long, self.tiers.total)


@dataclass(frozen=True, slots=True)
class Choice:
    """Places (L, M) in the pool, rising in each layer, and how many of them lie in each tier."""

    places: Tensor
    tiers: Tiers


class Reader(Protocol):
    """Chooses what a question reads."""

    @property
    def page_tokens(self) -> int:
        """The page size of the table that the reader is given."""
        ...

    def choose(self, shelf: Shelf, query: Tensor, span: TimeSpan | None) -> Choice:
        """Query (L, G * D): the question's pooled position-free query. span:
        stream seconds that the answer must stay within.
        """
        ...


def join(shelf: Shelf, long: Tensor, short: Tensor) -> Choice:
    """Prompt, then the long-term places (L, A), then the short-term places (L, B)."""
    layers = long.shape[0]
    prompt = torch.arange(shelf.tiers.prompt, device=long.device).expand(layers, -1)
    tiers = Tiers(shelf.tiers.prompt, long.shape[1], short.shape[1])
    return Choice(torch.cat((prompt, long, short), dim=1), tiers)


def within(shelf: Shelf, part: slice, span: TimeSpan | None) -> Tensor:
    """The places (L, M) of a tier's tokens inside the span. Layers that hold more of it than others give their newest."""
    layers = shelf.pool.times.shape[0]
    if span is None:
        return torch.arange(part.start, part.stop).expand(layers, -1)
    times = shelf.pool.times[:, part]
    inside = (times >= span[0]) & (times <= span[1])
    count = int(inside.sum(1).min())
    # A stable sort brings each layer's tokens inside the span to the end, in order.
    order = inside.long().argsort(dim=1, stable=True)
    return torch.add(order[:, order.shape[1] - count :], part.start)


def nearest_pages(shelf: Shelf, query: Tensor, limit: int, span: TimeSpan | None) -> Tensor:
    """The places (L, P * C) of the best long-term pages, at most `limit` a layer: whole pages, wholly inside the span."""
    table = shelf.pages
    long = shelf.long
    table.sync(shelf.pool.keys[:, :, long])
    allowed = None
    available = len(table)
    if span is not None and available:
        times = shelf.pool.times[:, long][:, : available * table.page_tokens]
        paged = times.reshape(-1, available, table.page_tokens)
        allowed = (paged.amin(2) >= span[0]) & (paged.amax(2) <= span[1])
        available = int(allowed.sum(1).min())
    count = min(limit, available)
    if count == 0:
        return torch.zeros(query.shape[0], 0, dtype=torch.long)
    pages = table.best(query, count, allowed).pages.sort(dim=1).values.cpu()
    return torch.add(page_tokens_of(pages, table.page_tokens), long.start)
