"""Series: segments in stream order, and the pages over all of them.

A page is a run of C consecutive tokens of one segment, counted from the segment's beginning. Up to C - 1 tokens at the end of a
segment that was cut or rewritten are on no page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from memory.archive.record import TOKEN, Structs
from memory.archive.segment import Segment
from memory.kv import TimeSpan

Column = Literal["time", "number"]


class Series:
    """Segments, of which only the last may be empty. Ids of pages rise in stream order and are never dealt twice. row_shape:
    (L, B), layers, and bytes of a token in one.
    """

    def __init__(self, page_tokens: int, row_shape: tuple[int, int]) -> None:
        self._page_tokens, self.row_shape = page_tokens, row_shape
        self._segments: list[Segment] = []
        # The id of each segment's first page.
        self._bases: list[int] = []
        # Bytes of all but the newest: they change only when a segment comes, goes or spills.
        self._older_host, self._older_disk = 0, 0

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, oldest first."""
        return tuple(self._segments)

    @property
    def last(self) -> Segment | None:
        """The newest segment."""
        return self._segments[-1] if self._segments else None

    @property
    def older(self) -> tuple[Segment, ...]:
        """All segments but the newest, oldest first."""
        return tuple(self._segments[:-1])

    @property
    def older_in_memory(self) -> tuple[Segment, ...]:
        """Of the older segments those whose rows are in memory."""
        return tuple(segment for segment in self._segments[:-1] if not segment.spilled)

    @property
    def host_bytes(self) -> int:
        """Bytes of rows and pictures in memory."""
        return self._older_host + (self._segments[-1].host_bytes if self._segments else 0)

    @property
    def disk_bytes(self) -> int:
        """Bytes of all segments' files."""
        return self._older_disk + (self._segments[-1].disk_bytes if self._segments else 0)

    @property
    def first_page(self) -> int:
        """The lowest id of a page."""
        return self._bases[0] if self._bases else 0

    @property
    def end_page(self) -> int:
        """The id that the next page will have."""
        return self._bases[-1] + self._pages(self._segments[-1]) if self._bases else 0

    def add(self, segment: Segment) -> None:
        """Put a segment behind the others."""
        self._bases.append(self.end_page)
        self._segments.append(segment)
        self._count()

    def drop_first(self) -> None:
        """Let the oldest segment go; the others keep their pages' ids."""
        del self._segments[0], self._bases[0]
        self._count()

    def spill_oldest(self) -> None:
        """Leave the oldest rows in memory to their files."""
        self.older_in_memory[0].spill()
        self._count()

    def replace(self, segments: Iterable[Segment], *, anew: bool) -> None:
        """Put others in their stead; with new ids of pages if they hold other tokens."""
        end = self.end_page if anew else self.first_page
        self._segments, self._bases = list(segments), []
        for segment in self._segments:
            self._bases.append(end)
            end += self._pages(segment)
        self._count()

    def within(self, span: TimeSpan | None, before: int) -> range:
        """The ids of the pages that lie wholly inside the span of stream seconds and below a token's number."""
        low, high = self.first_page, self._passed("number", self._page_tokens - 1, before, "left")
        if span is not None:
            low = self._passed("time", 0, span[0], "left")
            high = min(high, self._passed("time", self._page_tokens - 1, span[1], "right"))
        return range(low, max(low, high))

    def read(self, pages: Tensor) -> tuple[Tensor, Structs]:
        """Ids of pages (L, P) -> rows (L, P * C, B) and tokens (L, P * C), in the order of the ids."""
        ids = pages.cpu().numpy()
        assert ids.size == 0 or self.first_page <= ids.min() <= ids.max() < self.end_page, (
            f"pages {self.first_page} to {self.end_page - 1} are there, not all of {ids}"
        )
        bases = np.asarray(self._bases, np.int64)
        owner = np.searchsorted(bases, ids, side="right") - 1
        firsts = (ids - bases[owner]) * self._page_tokens if ids.size else ids
        places = (firsts[..., None] + np.arange(self._page_tokens)).reshape(len(ids), -1)
        owners = np.repeat(owner, self._page_tokens, axis=1)
        layers = np.broadcast_to(np.arange(len(ids))[:, None], places.shape)
        rows = np.empty((*places.shape, self.row_shape[1]), np.uint8)
        tokens = np.empty(places.shape, TOKEN)
        # Where layers read different pages, what one of them wants of a page is a small part of it.
        for which in np.unique(owner) if (ids == ids[:1]).all() else ():
            self._segments[which].expect(places[0][owners[0] == which])
        for which in np.unique(owner):
            here, segment = owners == which, self._segments[which]
            rows[here] = segment.take(layers[here], places[here])
            tokens[here] = segment.tokens[places[here]]
        return torch.from_numpy(rows), tokens

    def tail(self, span: TimeSpan | None, before: int) -> tuple[Tensor, Structs]:
        """Rows (L, M, B) and tokens (L, M), M < 2 * C: those below a token's number that follow the last page below it,
        and inside the span.
        """
        layers, row_bytes = self.row_shape
        stop = self.within(None, before).stop
        which, start = 0, 0
        if stop > self.first_page:
            which = bisect_right(self._bases, stop - 1) - 1
            start = (stop - self._bases[which]) * self._page_tokens
        rows = [torch.empty(layers, 0, row_bytes, dtype=torch.uint8)]
        tokens = [np.empty(0, TOKEN)]
        for segment in self._segments[which:]:
            chosen = _chosen(segment.tokens, start, span, before)
            start = 0
            if chosen.size:
                rows.append(segment.read(torch.from_numpy(chosen).expand(layers, -1)))
                tokens.append(segment.tokens[chosen])
            elif _first(segment, "number") >= before:
                break
        # More than that can only be where several segments were rewritten and too little for a page is left of each.
        newest = slice(-(2 * self._page_tokens - 1), None)
        each = np.concatenate(tokens)[newest]
        return torch.cat(rows, dim=1)[:, newest], np.tile(each, (layers, 1))

    def _count(self) -> None:
        self._older_host = sum(segment.host_bytes for segment in self._segments[:-1])
        self._older_disk = sum(segment.disk_bytes for segment in self._segments[:-1])

    def _pages(self, segment: Segment) -> int:
        return len(segment) // self._page_tokens

    def _passed(
        self, column: Column, offset: int, value: float, side: Literal["left", "right"]
    ) -> int:
        """The id of the first page whose token at `offset` does not lie before a value; side: whether one at it does."""
        search = bisect_left if side == "left" else bisect_right
        begun = search(self._segments, value, key=lambda segment: _first(segment, column))
        if begun == 0:
            return self.first_page
        segment = self._segments[begun - 1]
        end = self._pages(segment) * self._page_tokens
        column_there = segment.tokens[column][offset : end : self._page_tokens]
        return self._bases[begun - 1] + int(np.searchsorted(column_there, value, side))


def _first(segment: Segment, column: Column) -> float:
    """A segment's first token's time or number; an empty one begins never."""
    return float(segment.tokens[column][0]) if len(segment) else float("inf")


def _chosen(
    tokens: Structs, start: int, span: TimeSpan | None, before: int
) -> npt.NDArray[np.int64]:
    """The places from `start` on of tokens below a number and inside a span."""
    rest = tokens[start:]
    fits = rest["number"] < before
    if span is not None:
        fits &= (rest["time"] >= span[0]) & (rest["time"] <= span[1])
    return np.flatnonzero(fits) + start
