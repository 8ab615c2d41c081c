"""Archive: everything that was appended to a memory, off the device and under caps, found again by its pages' mean keys.

LiveVLM keeps nothing of what Vision Sink Bucketing drops. Here every token's keys and values are also written down when they
come, whole frames in stream order: so a page of the archive is a stretch of time that can be asked for, which a page made of
what retention dropped, a few tokens of every minute, would not be.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from memory.archive.index import ArchiveIndex
from memory.archive.vault import Archived, Newest, Vault, VaultStats
from memory.index import Found
from memory.kv import KVBlock, TimeSpan
from memory.pages import asked_together, folded

ADDED_AT_ONCE = 1024  # pages whose representatives are computed together
TIDIED_AT_ONCE = 64  # the same while nobody waits for it: somebody may in a moment


class Archive:
    """A vault and the index of its pages, kept in step."""

    def __init__(self, vault: Vault, index: ArchiveIndex, *, shared: bool = False) -> None:
        """shared: whether all layers choose the same pages; the index is then of one layer, which is all of them in a row."""
        self._vault, self._index, self._shared = vault, index, shared
        self._indexed = 0

    @property
    def repairs(self) -> tuple[str, ...]:
        """What was not as it should be, as far as it has been looked for."""
        return tuple(f"{repair.path}: {repair.what}" for repair in self._vault.repairs)

    @property
    def page_tokens(self) -> int:
        """Tokens a page."""
        return self._vault.page_tokens

    @property
    def first_number(self) -> int:
        """The number of the oldest token held, in the order of their coming; the next one's where none is."""
        return self._vault.first_number

    @property
    def end_number(self) -> int:
        """The number that follows the newest token held."""
        return self._vault.end_number

    def newest(self) -> Newest | None:
        """The newest frame held."""
        return self._vault.newest()

    def sync(self) -> None:
        """Have all of it on disk, where it lies there. Raises ArchiveError."""
        self._vault.sync()

    def append(self, block: KVBlock, first_number: int, pictures: Mapping[int, bytes]) -> None:
        """Write a block's tokens down, numbered from first_number on, and the JPEGs of its frames by number.

        Raises ArchiveError where they cannot be written; then of a block that would lie in two segments the first part may be
        there, whole tokens in any case.
        """
        self._vault.append(block, first_number, pictures)

    def pages(self, span: TimeSpan | None, before: int) -> range:
        """The pages wholly inside a span of stream seconds, of tokens numbered below `before`."""
        return self._vault.pages_within(span, before)

    def search(self, query: Tensor, count: int, pages: range) -> Found:
        """The `count` best of those pages for the query (L, G * D), per layer and best first; there must be as many.

        Where all layers choose the same, a score is the mean of their products.
        """
        assert count <= len(pages), (count, pages)
        if count == 0:
            nobody = torch.zeros(query.shape[0], 0)
            return Found(nobody, nobody.long())
        self._sync()
        asked = asked_together(query) if self._shared else query
        scores, ids = self._index.search(asked.float().cpu(), count, pages.start, pages.stop)
        return Found(scores.expand(len(query), -1), ids.expand(len(query), -1))

    def read(self, pages: Tensor) -> Archived:
        """The tokens of pages (L, P), in that order."""
        return self._vault.read(pages)

    def tail(self, span: TimeSpan | None, before: int) -> Archived:
        """The tokens numbered below `before` that fill no page there, as far as they are inside the span."""
        return self._vault.tail(span, before)

    def picture(self, frame: int) -> bytes | None:
        """The JPEG of a frame, if it is kept."""
        return self._vault.picture(frame)

    def forget(self, span: TimeSpan) -> int:
        """Erase what was seen in a span of stream seconds; how many tokens that was."""
        erased = self._vault.forget(*span)
        self._index.clear()
        self._indexed = self._vault.first_page
        return erased

    def stats(self) -> VaultStats:
        """Sizes now."""
        return self._vault.stats()

    @property
    def nbytes(self) -> int:
        """Bytes in host memory, the index included."""
        return self.stats().host_bytes + self._index.nbytes

    def tidy(self) -> bool:
        """A bit of what the next question would otherwise wait for: files are checked that nobody has read since they were
        opened, then pages are indexed. False where there is nothing to do.
        """
        if self._vault.check_next():
            return True
        waiting = self._vault.end_page - max(self._indexed, self._vault.first_page)
        if waiting < TIDIED_AT_ONCE:
            return False
        self._sync(TIDIED_AT_ONCE)
        return True

    def _sync(self, most: int | None = None) -> None:
        """Index the pages that came since, at most so many, and let go of those that went."""
        first, end = self._vault.first_page, self._vault.end_page
        self._index.drop_below(first)
        self._indexed = max(self._indexed, first)
        if most is not None:
            end = min(end, self._indexed + most)
        while self._indexed < end:
            stop = min(end, self._indexed + ADDED_AT_ONCE)
            means = self._vault.means(self._indexed, stop)
            self._index.add(self._indexed, folded(means) if self._shared else means)
            self._indexed = stop
