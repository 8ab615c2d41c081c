"""The reader protocol, and what the readers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from memory.archive.archive import Archive
from memory.archive.vault import Archived
from memory.kv import TimeSpan
from memory.pages import PageTable, page_tokens_of
from memory.pool import TokenPool, equally_many
from memory.recall import Tiers


@dataclass(frozen=True, slots=True)
class Shelf:
    """A memory as a reader sees it: its tokens, where its tiers lie, and the page table of its long-term tier."""

    pool: TokenPool
    tiers: Tiers
    pages: PageTable
    archive: Archive | None = None

    @property
    def short_number(self) -> int:
        """The number of the first short-term token, in the order of their coming; the next one's where there is none."""
        if self.tiers.short == 0:
            return self.pool.appended
        return int(self.pool.numbers[0, self.short.start])

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
    """Places (L, M) in the pool, rising in each layer, and how many tokens of each tier; archived tokens are read between
    the long-term and the short-term ones.
    """

    places: Tensor
    tiers: Tiers
    archived: Sequence[Archived] = ()


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


def join(shelf: Shelf, long: Tensor, short: Tensor, archived: Sequence[Archived] = ()) -> Choice:
    """Prompt, then the long-term places (L, A), then what is archived, then the short-term places (L, B)."""
    layers = long.shape[0]
    prompt = torch.arange(shelf.tiers.prompt, device=long.device).expand(layers, -1)
    beside = sum(len(part) for part in archived)
    tiers = Tiers(shelf.tiers.prompt, long.shape[1], short.shape[1], beside)
    return Choice(torch.cat((prompt, long, short), dim=1), tiers, archived)


def within(shelf: Shelf, part: slice, span: TimeSpan | None) -> Tensor:
    """The places (L, M) of a tier's tokens inside the span. Layers that hold more of it than others give their newest."""
    layers = shelf.pool.times.shape[0]
    if span is None:
        return torch.arange(part.start, part.stop).expand(layers, -1)
    times = shelf.pool.times[:, part]
    inside = (times >= span[0]) & (times <= span[1])
    return torch.add(equally_many(inside), part.start)


def pages_inside(shelf: Shelf, span: TimeSpan | None) -> Tensor:
    """(L, pages) bool: which of the table's long-term pages lie wholly inside the span."""
    table, layers = shelf.pages, shelf.pool.times.shape[0]
    if span is None:
        return torch.ones(layers, len(table), dtype=torch.bool)
    times = shelf.pool.times[:, shelf.long][:, : len(table) * table.page_tokens]
    paged = times.reshape(layers, len(table), table.page_tokens)
    return (paged.amin(2) >= span[0]) & (paged.amax(2) <= span[1])


def nearest_pages(shelf: Shelf, query: Tensor, limit: int, span: TimeSpan | None) -> Tensor:
    """The places (L, P * C) of the best long-term pages, at most `limit` a layer: whole pages, wholly inside the span."""
    table = shelf.pages
    long = shelf.long
    table.sync(shelf.pool.keys[:, :, long])
    allowed = None
    available = len(table)
    if span is not None and available:
        allowed = pages_inside(shelf, span)
        available = table.available(allowed)
    count = min(limit, available)
    if count == 0:
        return torch.zeros(query.shape[0], 0, dtype=torch.long)
    pages = table.best(query, count, allowed).pages.sort(dim=1).values.cpu()
    return torch.add(page_tokens_of(pages, table.page_tokens), long.start)
