"""The sizes of a memory, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from memory.index import IndexKind
from memory.recall import Positions, Tiers
from memory.scoring import HeadPool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """The sizes of a memory.

    budget_tokens: most long-term tokens, where retention bounds them; 0 is none. short_term_frames: newest frames kept exactly.
    append_tokens: most tokens that one append brings. context_tokens: most video tokens, counted from the newest, that
    a new chunk attends to; 0 is all. index: how pages are searched. score_heads: how heads' attention becomes a score.
    positions: what a question finds recalled tokens at, most_positions:
    how many the model was trained with. shared_pages: whether all layers read the same pages, or each chooses its own.
    """

    budget_tokens: int
    short_term_frames: int
    append_tokens: int
    frame_tokens: int
    context_tokens: int = 0
    index: IndexKind = "auto"
    score_heads: HeadPool = "mean"
    positions: Positions = "contiguous"
    most_positions: int = 0
    shared_pages: bool = False

    def __post_init__(self) -> None:
        assert self.append_tokens >= 1 and self.frame_tokens >= 1, self
        assert self.budget_tokens >= 0, self
        assert self.short_term_frames >= 0 and self.context_tokens >= 0, self


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """Tokens by tier, bytes allocated, and the stream seconds that are remembered from and to.

    tokens: what rests on the device, and how many tokens the archive holds of the whole stream. host_bytes: what rests in host
    memory besides, even where the device is the host itself. disk_bytes: the archive's files. evicted_tokens: tokens that left
    the device for good.
    """

    tokens: Tiers
    device_bytes: int
    host_bytes: int
    evicted_tokens: int
    from_s: float | None
    to_s: float | None
    disk_bytes: int = 0
