"""Small vaults, random blocks for them, and a naive twin: a list of the tokens that were appended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from memory.archive import Archived, Storage, Vault, VaultOptions
from memory.kv import KVBlock, KVShape

SHAPE = KVShape(layers=2, heads=4, kv_heads=2, head_dim=4)
PAGE = 4
ENOUGH = 1 << 40
# Bytes of a token's row over all layers, float32, exact.
ROW_BYTES = SHAPE.bytes_per_token(torch.float32)


def options(
    folder: Path | None = None,
    *,
    segment_tokens: int = 16,
    host_bytes: int = ENOUGH,
    disk_bytes: int = ENOUGH,
    keep_s: float = 0.0,
    storage: Storage = "exact",
) -> VaultOptions:
    """Pages of four tokens, four pages a segment."""
    return VaultOptions(
        page_tokens=PAGE,
        segment_tokens=segment_tokens,
        host_bytes=host_bytes,
        disk_bytes=disk_bytes,
        keep_s=keep_s,
        storage=storage,
        folder=folder,
    )


def vault(folder: Path | None = None, **sizes: int) -> Vault:
    """A vault of the small shape."""
    return Vault(SHAPE, torch.float32, options(folder, **sizes))


def kv(number: int) -> tuple[Tensor, Tensor]:
    """The keys and values (L, G, D) of the token of a number: always the same."""
    generator = torch.Generator().manual_seed(number)
    keys, values = torch.randn(2, SHAPE.layers, SHAPE.kv_heads, SHAPE.head_dim, generator=generator)
    return keys, values


def frame_of(number: int) -> int:
    """Three tokens a frame."""
    return number // 3


def jpeg(frame: int) -> bytes:
    """A picture of a frame, of a length of its own."""
    return f"<jpeg of {frame}>".encode() * (1 + frame % 3)


def block(first: int, count: int) -> KVBlock:
    """The tokens first .. first + count - 1; a frame a second, its UTC 1000 s later."""
    numbers = torch.arange(first, first + count)
    each = [kv(number) for number in numbers.tolist()]
    keys = torch.stack([keys for keys, _ in each], dim=2)
    values = torch.stack([values for _, values in each], dim=2)
    frames = numbers // 3
    asked = torch.zeros(SHAPE.layers, SHAPE.heads, 0, SHAPE.head_dim)
    return KVBlock(keys, values, asked, frames.double(), frames.double() + 1000, frames)


def pictures(first: int, count: int) -> dict[int, bytes]:
    """The pictures of a block's frames."""
    return {frame_of(n): jpeg(frame_of(n)) for n in range(first, first + count)}


def fill(store: Vault, count: int, *, at_once: int = 5) -> Vault:
    """Append so many tokens behind those that are there."""
    end = store.end_number + count
    while store.end_number < end:
        some = min(at_once, end - store.end_number)
        store.append(
            block(store.end_number, some), store.end_number, pictures(store.end_number, some)
        )
    return store


def row_bytes(number: int) -> bytes:
    """A token's keys in layer 0 as they stand in a file of exact rows."""
    return kv(number)[0][0].numpy().tobytes()


def assert_true(found: Archived) -> None:
    """Whatever was read is what was appended under its number."""
    layers, tokens = found.numbers.shape
    assert (
        found.keys.shape
        == found.values.shape
        == (
            layers,
            SHAPE.kv_heads,
            tokens,
            SHAPE.head_dim,
        )
    )
    for layer in range(layers):
        for place, number in enumerate(found.numbers[layer].tolist()):
            keys, values = kv(number)
            assert torch.equal(found.keys[layer, :, place], keys[layer])
            assert torch.equal(found.values[layer, :, place], values[layer])
            assert found.frames[layer, place] == frame_of(number)
            assert found.times[layer, place] == frame_of(number)
            assert found.utcs[layer, place] == frame_of(number) + 1000


def numbers_on_pages(store: Vault) -> list[list[int]]:
    """The numbers of each page's tokens, all that was read checked; layers read the pages in different orders."""
    ids = torch.arange(store.first_page, store.end_page)
    found = store.read(torch.stack((ids, ids.flip(0))))
    assert_true(found)
    paged = found.numbers.reshape(2, len(ids), PAGE)
    assert torch.equal(paged[0], paged[1].flip(0))
    return [list(map(int, page)) for page in paged[0]]


def tail_numbers(
    store: Vault, span: tuple[float, float] | None = None, before: int = ENOUGH
) -> list[int]:
    """The numbers of the tail's tokens, checked."""
    found = store.tail(span, before)
    assert_true(found)
    assert torch.equal(found.numbers[0], found.numbers[1])
    return list(map(int, found.numbers[0]))


@dataclass
class Twin:
    """The tokens' numbers by segment, as they should be visible."""

    segment_tokens: int = 16
    segments: list[list[int]] = field(default_factory=lambda: [[]])

    def append(self, numbers: Sequence[int]) -> None:
        """Add tokens one by one."""
        for number in numbers:
            if len(self.segments[-1]) == self.segment_tokens:
                self.segments.append([])
            self.segments[-1].append(number)

    def forget(self, from_s: float, to_s: float) -> int:
        """Erase tokens one by one."""
        before = sum(map(len, self.segments))
        self.segments = [
            [number for number in segment if not from_s <= frame_of(number) <= to_s]
            for segment in self.segments
        ]
        self.segments = [each for each in self.segments[:-1] if each] + self.segments[-1:]
        return before - sum(map(len, self.segments))

    def pages(self) -> list[list[int]]:
        """The numbers of each page's tokens."""
        return [
            segment[start : start + PAGE]
            for segment in self.segments
            for start in range(0, len(segment) - PAGE + 1, PAGE)
        ]

    def within(self, span: tuple[float, float] | None, before: int) -> list[list[int]]:
        """The pages inside a span and below a number."""
        return [
            page
            for page in self.pages()
            if all(n < before and (not span or span[0] <= frame_of(n) <= span[1]) for n in page)
        ]

    def tail(self, span: tuple[float, float] | None, before: int) -> list[int]:
        """What follows the last page below a number."""
        pages = self.within(None, before)
        last = pages[-1][-1] if pages else -1
        return [
            number
            for segment in self.segments
            for number in segment
            if last < number < before and (not span or span[0] <= frame_of(number) <= span[1])
        ][-(2 * PAGE - 1) :]
