"""Random blocks, and memories of them."""

from __future__ import annotations

from pathlib import Path

import torch

from memory import (
    Archive,
    ArchiveIndex,
    KVBlock,
    KVShape,
    LongTerm,
    MemoryOptions,
    Reader,
    Retention,
    Rope,
    StreamMemory,
    Vault,
    VaultOptions,
)

SHAPE = KVShape(layers=2, heads=4, kv_heads=2, head_dim=8)
ROPE = Rope(10_000.0 ** (-torch.arange(4) / 4))


def block(
    frames: int, *, first: int = 0, tokens: int = 4, seed: int = 0, queries: int = 3
) -> KVBlock:
    """So many frames of random keys and values, one frame a second, its UTC 1000 s later."""
    generator = torch.Generator().manual_seed(1000 * seed + first)
    count = frames * tokens
    keys, values = torch.randn(
        2, SHAPE.layers, SHAPE.kv_heads, count, SHAPE.head_dim, generator=generator
    )
    asked = torch.randn(
        SHAPE.layers, SHAPE.heads, min(queries, count), SHAPE.head_dim, generator=generator
    )
    numbers = torch.arange(first, first + frames).repeat_interleave(tokens)
    return KVBlock(keys, values, asked, numbers.double(), numbers.double() + 1000, numbers)


def prompt(tokens: int = 3) -> KVBlock:
    """A prompt's block: it has no time."""
    made = block(tokens, tokens=1, seed=99, queries=1)
    never = torch.full((tokens,), -torch.inf, dtype=torch.float64)
    return KVBlock(made.keys, made.values, made.queries, never, never, torch.full((tokens,), -1))


def memory(
    retention: Retention,
    reader: Reader,
    *,
    budget: int = 64,
    short: int = 4,
    frame_tokens: int = 4,
    chunk: int = 4,
    archive: Archive | None = None,
) -> StreamMemory:
    """An empty memory of the small shape."""
    options = MemoryOptions(
        budget_tokens=budget,
        short_term_frames=short,
        append_tokens=chunk * frame_tokens,
        frame_tokens=frame_tokens,
    )
    return StreamMemory(
        SHAPE, ROPE, prompt(), options, retention=retention, reader=reader, archive=archive
    )


def archive(
    *, page: int = 4, pages: int = 8, host_bytes: int = 1 << 30, folder: Path | None = None
) -> Archive:
    """An archive of the small shape, with so many pages a segment."""
    options = VaultOptions(
        page_tokens=page,
        segment_tokens=page * pages,
        host_bytes=host_bytes,
        disk_bytes=1 << 30,
        folder=folder,
    )
    vault = Vault(SHAPE, torch.float32, options)
    return Archive(vault, ArchiveIndex(SHAPE.layers, SHAPE.kv_heads * SHAPE.head_dim))


def question(seed: int = 5, tokens: int = 6) -> torch.Tensor:
    """A question's position-free queries."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(SHAPE.layers, SHAPE.heads, tokens, SHAPE.head_dim, generator=generator)


def long_term(
    sizes: list[int],
    *,
    scores: torch.Tensor | None = None,
    numbers: torch.Tensor | None = None,
    layers: int = 1,
    fresh: int | None = None,
    recent: list[int] | None = None,
    seed: int = 0,
) -> LongTerm:
    """A long-term memory of frames of so many tokens, whole and all fresh if not said otherwise; what is not given is random.

    recent: the sizes of the short-term frames.
    """
    generator = torch.Generator().manual_seed(seed)
    frames = torch.tensor([frame for frame, size in enumerate(sizes) for _ in range(size)])
    tokens, after = len(frames), recent or []
    behind = torch.tensor([size - 1 - token for size in sizes for token in range(size)])
    recently = torch.tensor([size - 1 - token for size in after for token in range(size)])
    given = torch.rand(layers, tokens, generator=generator) if scores is None else scores

    def each(row: torch.Tensor) -> torch.Tensor:
        return row.long().expand(layers, -1)

    return LongTerm(
        keys=torch.randn(layers, 2, tokens, 8, generator=generator),
        values=torch.randn(layers, 2, tokens, 8, generator=generator),
        frames=each(frames),
        numbers=each(torch.arange(tokens)) if numbers is None else numbers,
        patches=each(behind),
        fresh=tokens if fresh is None else fresh,
        recent_keys=torch.randn(layers, 2, sum(after), 8, generator=generator),
        recent_patches=each(recently),
        attention=lambda proxy=None: given,
    )
