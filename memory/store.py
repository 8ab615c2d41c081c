"""StreamMemory: all that is remembered of one stream. The room's door.

One sequence of tokens in stream order, in three tiers: [prompt | long-term | short-term]. New tokens come in at the
end; when the short-term tier holds more than its frames, the oldest of them become long-term by moving a boundary, no
token is copied; when the long-term tier then exceeds its budget, retention chooses what stays. Reading never changes
anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from memory.archive.archive import Archive
from memory.archive.errors import ArchiveError
from memory.archive.vault import Newest
from memory.compaction import long_term
from memory.index import page_index
from memory.kv import KVBlock, KVShape, TimeSpan
from memory.options import MemoryOptions, MemoryStats
from memory.pages import PageTable, pooled_query
from memory.pool import TokenPool, equally_many
from memory.readers import Reader, Shelf
from memory.readers.base import Choice, join, within
from memory.recall import Recall, Tiers
from memory.retention import Retention
from memory.rope import Rope

NO_PICTURES: Mapping[int, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Context:
    """What a new chunk attends to: views (L, G, N, D), keys position-free; the chunk's own positions begin at N."""

    keys: Tensor
    values: Tensor

    def __len__(self) -> int:
        return int(self.keys.shape[2])


class StreamMemory:
    """The memory of one stream. Not thread-safe: one thread owns it."""

    def __init__(
        self,
        shape: KVShape,
        rope: Rope,
        prompt: KVBlock,
        options: MemoryOptions,
        *,
        retention: Retention,
        reader: Reader,
        storage: torch.device | None = None,
        archive: Archive | None = None,
    ) -> None:
        """storage: where keys and values rest, if not on the prompt's device; a recall is brought to the prompt's device.
        archive: where every token is written down too, and searched by readers that know of it.
        """
        self._shape, self._rope, self._options = shape, rope, options
        self._retention, self._reader = retention, reader
        self._device = prompt.keys.device
        self._offloaded = storage is not None
        # Between an append and the compaction that it causes the budget is exceeded by what just left the short-term tier.
        room = (
            options.budget_tokens
            + options.short_term_frames * options.frame_tokens
            + options.append_tokens
        )
        self._pool = TokenPool(
            shape,
            len(prompt) + room,
            grows=not retention.bounded,
            dtype=prompt.keys.dtype,
            device=storage or self._device,
        )
        self._pool.append(prompt)
        self._prompt = len(prompt)
        self._short_frames: deque[int] = deque()
        self._short = 0
        self._evicted = 0
        self._settled = 0
        self._archive = archive
        self.archive_error = ""
        layers, dim = shape.layers, shape.kv_heads * shape.head_dim
        if options.shared_pages:
            layers, dim = 1, layers * dim
        index = page_index(options.index, layers, dim, self._device)
        self._pages = PageTable(index, reader.page_tokens, shared=options.shared_pages)

    @property
    def rope(self) -> Rope:
        """The rotation that positions are given with on the way out."""
        return self._rope

    @property
    def tiers(self) -> Tiers:
        """How many tokens each tier holds."""
        return Tiers(self._prompt, len(self._pool) - self._prompt - self._short, self._short)

    @property
    def archive(self) -> Archive | None:
        """Where every token is written down, if anywhere."""
        return self._archive

    @property
    def appended(self) -> int:
        """The number that the next token gets."""
        return self._pool.appended

    def newest(self) -> Newest | None:
        """The newest frame, on the device or in the archive; None where nothing was ever seen, or all of it erased."""
        found = None if self._archive is None else self._archive.newest()
        if len(self._pool) > self._prompt:
            own = (
                tensor[0, -1] for tensor in (self._pool.frames, self._pool.times, self._pool.utcs)
            )
            frame, stream_s, utc = (one.item() for one in own)
            if found is None or frame >= found.frame:
                found = Newest(int(frame), stream_s, utc)
        return found

    @property
    def frames(self) -> Tensor:
        """A view (L, N) of the frame numbers of all tokens; the prompt's mean nothing."""
        return self._pool.frames

    @property
    def times(self) -> Tensor:
        """A view (L, N) of the stream times in seconds of all tokens; the prompt's mean nothing."""
        return self._pool.times

    def stats(self) -> MemoryStats:
        """Sizes now."""
        tiers, times = self.tiers, self._pool.times[:, self._prompt :]
        archived = None if self._archive is None else self._archive.stats()
        begins = [float(times[:, 0].min())] if times.numel() else []
        ends = [float(times[:, -1].max())] if times.numel() else []
        if archived is not None and archived.from_s is not None and archived.to_s is not None:
            begins.append(archived.from_s)
            ends.append(archived.to_s)
        return MemoryStats(
            tokens=replace(tiers, archive=archived.tokens if archived else 0),
            device_bytes=self._pages.nbytes + (0 if self._offloaded else self._pool.nbytes),
            host_bytes=(self._pool.nbytes if self._offloaded else 0)
            + (0 if self._archive is None else self._archive.nbytes),
            disk_bytes=0 if archived is None else archived.disk_bytes,
            evicted_tokens=self._evicted,
            from_s=min(begins, default=None),
            to_s=max(ends, default=None),
        )

    def prompt(self) -> Context:
        """The pinned prompt alone: what a question attends to before it has recalled anything."""
        keys, values = (part[:, :, : self._prompt] for part in (self._pool.keys, self._pool.values))
        return Context(keys.to(self._device), values.to(self._device))

    def context(self) -> Context:
        """What the next chunk attends to. The views hold until the next append."""
        keys, values = self._pool.keys, self._pool.values
        limit = self._options.context_tokens
        if limit and len(self._pool) > self._prompt + limit:
            keys, values = (
                torch.cat(
                    (whole[:, :, : self._prompt], whole[:, :, len(self._pool) - limit :]), dim=2
                )
                for whole in (keys, values)
            )
        return Context(keys.to(self._device), values.to(self._device))

    def append(self, block: KVBlock, pictures: Mapping[int, bytes] = NO_PICTURES) -> None:
        """Add new video tokens, whole frames each; then hold the budget. pictures: JPEGs by frame, for the archive.

        The block's queries score the long-term tokens if any have to go, so the block must have attended to
        `context()`. An archive that cannot be written, its disk being full, stops nothing: `archive_error` says so.
        """
        assert len(block) <= self._options.append_tokens, (len(block), self._options.append_tokens)
        if self._archive is not None:
            self._write_down(self._archive, block, pictures)
        self._pool.append(block)
        counts = torch.bincount(block.frames - block.frames[0])
        self._short_frames.extend(count for count in counts.tolist() if count)
        self._short += len(block)
        while len(self._short_frames) > self._options.short_term_frames:
            self._short -= self._short_frames.popleft()
        if self._retention.bounded and self.tiers.long > self._options.budget_tokens:
            self._compact(block.queries)
        assert not self._retention.bounded or self.tiers.long <= self._options.budget_tokens

    def _write_down(self, archive: Archive, block: KVBlock, pictures: Mapping[int, bytes]) -> None:
        try:
            archive.append(block, self._pool.appended, pictures)
        except ArchiveError as error:
            self.archive_error = str(error)
        else:
            self.archive_error = ""

    def _compact(self, queries: Tensor) -> None:
        start, long = self._prompt, self.tiers.long
        shown = long_term(
            self._pool,
            self.tiers,
            self._rope,
            queries,
            settled=self._settled,
            heads=self._options.score_heads,
        )
        kept = self._retention.keep(shown, self._options.budget_tokens)
        if kept.merged is not None:
            merged = kept.merged
            self._pool.write(merged.at + start, merged.keys, merged.values)
        self._pool.compact(start, start + long, kept.places)
        self._pages.reset()
        self._settled = self.tiers.long
        self._evicted += long - self._settled

    def recall(self, queries: Tensor, span: TimeSpan | None = None) -> Recall:
        """What a question reads, by its position-free queries (L, H, N, D); with a span of stream seconds,
        nothing from outside it.
        """
        shelf = Shelf(self._pool, self.tiers, self._pages, self._archive)
        return self._read(
            self._reader.choose(shelf, pooled_query(queries, self._shape.kv_heads), span)
        )

    def recent(self) -> Recall:
        """The prompt and the short-term tier alone: what a question about now reads, with nothing searched for."""
        shelf = Shelf(self._pool, self.tiers, self._pages)
        short = within(shelf, shelf.short, None)
        return self._read(join(shelf, short[:, :0], short))

    def _read(self, choice: Choice) -> Recall:
        places = choice.places
        index = places.to(self._pool.keys.device)[:, None, :, None]
        index = index.expand(-1, self._shape.kv_heads, -1, self._shape.head_dim)
        found = Recall(
            keys=self._pool.keys.gather(2, index).to(self._device),
            values=self._pool.values.gather(2, index).to(self._device),
            times=self._pool.times.gather(1, places),
            utcs=self._pool.utcs.gather(1, places),
            frames=self._pool.frames.gather(1, places),
            numbers=self._pool.numbers.gather(1, places),
            tiers=replace(choice.tiers, archive=0),
            positions=self._options.positions,
            most_positions=self._options.most_positions,
        )
        return found.with_archived(choice.archived) if choice.archived else found

    def forget(self, span: TimeSpan) -> int:
        """Erase what was seen in a span of stream seconds, on the device and in the archive; how many of the device's tokens
        went. Where layers hold differently many of them, all lose as many: the oldest others go too.

        What later frames were taught by attending to the erased ones stays with them.
        """
        tiers, before = self.tiers, len(self._pool)
        start = tiers.prompt + tiers.long
        self._pool.compact(start, before, self._outside(slice(start, before), span))
        frames = torch.unique_consecutive(self._pool.frames[0, start:], return_counts=True)[1]
        self._short_frames = deque(frames.tolist())
        self._short = sum(self._short_frames)
        self._pool.compact(tiers.prompt, start, self._outside(slice(tiers.prompt, start), span))
        self._settled = min(self._settled, self.tiers.long)
        self._pool.wipe()
        self._pages.reset()
        self._evicted += before - len(self._pool)
        if self._archive is not None:
            self._archive.forget(span)
        return before - len(self._pool)

    def _outside(self, part: slice, span: TimeSpan) -> Tensor:
        times = self._pool.times[:, part]
        return equally_many((times < span[0]) | (times > span[1]))

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """All that rests on the device, as facts and tensors (views)."""
        facts = {
            "appended": self._pool.appended,
            "short_frames": list(self._short_frames),
            "evicted": self._evicted,
            "settled": self._settled,
        }
        return facts, self._pool.state()

    def restore(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Take over the state of another memory of the same options. Nothing may have been appended yet."""
        assert len(self._pool) == self._prompt, "only an empty memory can be filled"
        self._pool.restore(tensors, int(facts["appended"]))
        self._short_frames = deque(facts["short_frames"])
        self._short = sum(self._short_frames)
        self._evicted, self._settled = int(facts["evicted"]), int(facts["settled"])

    def catch_up(self) -> None:
        """Number what comes next behind all that the archive holds, which may have outlived what was restored."""
        if self._archive is not None:
            self._pool.skip_to(self._archive.end_number)

    def sync(self) -> None:
        """Have the archive's files on disk. Raises OSError."""
        if self._archive is not None:
            self._archive.sync()

    @property
    def repairs(self) -> tuple[str, ...]:
        """What of the archive was not as it should be, as far as it has been looked for."""
        return () if self._archive is None else self._archive.repairs

    def tidy(self) -> bool:
        """A bit of what the next question would otherwise wait for; False where there is nothing to do."""
        return self._archive is not None and self._archive.tidy()
