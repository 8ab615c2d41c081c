"""StreamMemory: all that is remembered of one stream. The room's door.

One sequence of tokens in stream order, in three tiers: [prompt | long-term | short-term]. New tokens come in at the
end; when the short-term tier holds more than its frames, the oldest of them become long-term by moving a boundary, no
token is copied; when the long-term tier then exceeds its budget, retention chooses what stays. Reading never changes
anything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from memory.compaction import long_term
from memory.index import page_index
from memory.kv import KVBlock, KVShape
from memory.options import MemoryOptions, MemoryStats
from memory.pages import PageTable, pooled_query
from memory.pool import TokenPool
from memory.readers import Reader, Shelf
from memory.recall import Recall, Tiers, TimeSpan
from memory.retention import Retention
from memory.rope import Rope


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
    ) -> None:
        """storage: where keys and values rest, if not on the prompt's device; a recall is brought to the prompt's device."""
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
        index = page_index(
            options.index, shape.layers, shape.kv_heads * shape.head_dim, self._device
        )
        self._pages = PageTable(index, reader.page_tokens)

    @property
    def rope(self) -> Rope:
        """The rotation that positions are given with on the way out."""
        return self._rope

    @property
    def tiers(self) -> Tiers:
        """How many tokens each tier holds."""
        return Tiers(self._prompt, len(self._pool) - self._prompt - self._short, self._short)

    @property
    def frames(self) -> Tensor:
        """A view (L, N) of the frame numbers of all tokens; the prompt's mean nothing."""
        return self._pool.frames

    def stats(self) -> MemoryStats:
        """Sizes now."""
        tiers, times = self.tiers, self._pool.times[:, self._prompt :]
        held = times.numel() > 0
        return MemoryStats(
            tokens=tiers,
            device_bytes=self._pages.nbytes + (0 if self._offloaded else self._pool.nbytes),
            host_bytes=self._pool.nbytes if self._offloaded else 0,
            evicted_tokens=self._evicted,
            from_s=float(times[:, 0].min()) if held else None,
            to_s=float(times[:, -1].max()) if held else None,
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

    def append(self, block: KVBlock) -> None:
        """Add new video tokens, whole frames each; then hold the budget.

        The block's queries score the long-term tokens if any have to go, so the block must have attended to
        `context()`.
        """
        assert len(block) <= self._options.append_tokens, (len(block), self._options.append_tokens)
        self._pool.append(block)
        counts = torch.bincount(block.frames - block.frames[0])
        self._short_frames.extend(count for count in counts.tolist() if count)
        self._short += len(block)
        while len(self._short_frames) > self._options.short_term_frames:
            self._short -= self._short_frames.popleft()
        if self._retention.bounded and self.tiers.long > self._options.budget_tokens:
            self._compact(block.queries)
        assert not self._retention.bounded or self.tiers.long <= self._options.budget_tokens

    def _compact(self, queries: Tensor) -> None:
        start, long = self._prompt, self.tiers.long
        shown = long_term(self._pool, self.tiers, self._rope, queries, settled=self._settled)
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
        shelf = Shelf(self._pool, self.tiers, self._pages)
        choice = self._reader.choose(shelf, pooled_query(queries, self._shape.kv_heads), span)
        places = choice.places
        index = places.to(self._pool.keys.device)[:, None, :, None]
        index = index.expand(-1, self._shape.kv_heads, -1, self._shape.head_dim)
        return Recall(
            keys=self._pool.keys.gather(2, index).to(self._device),
            values=self._pool.values.gather(2, index).to(self._device),
            times=self._pool.times.gather(1, places),
            utcs=self._pool.utcs.gather(1, places),
            frames=self._pool.frames.gather(1, places),
            tiers=choice.tiers,
        )
