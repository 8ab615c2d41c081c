"""The log of a segment: a header that says what its rows are, then one record an append.

A record is self-contained: its own length, where its rows and pictures lie, and two checksums (zlib's crc32), one of
its rows and one of itself. So a reader finds the next good record behind a spoilt one.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from memory.archive.rows import RowCodec, Storage
from memory.kv import KVBlock, KVShape

# Stream seconds, POSIX seconds, frame number and token number of one token.
TOKEN = np.dtype([("time", "<f8"), ("utc", "<f8"), ("frame", "<i8"), ("number", "<i8")])
# Of which frame a picture is, and where it lies among the segment's pictures.
PICTURE = np.dtype([("frame", "<i8"), ("offset", "<i8"), ("length", "<i8"), ("crc", "<i8")])

Structs = npt.NDArray[np.void]

_VERSION = 1
_HEADER = struct.Struct("<4sI")
_HEADER_MAGIC = b"LVKV"
# Magic, bytes of the whole record, tokens, pictures, the first row's place in the file, the rows' checksum.
_HEAD = struct.Struct("<4sIIIQI")
_MAGIC = b"\xa7REC"
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Format:
    """What all segments of a vault have in common, and what a stored one must agree with."""

    shape: KVShape
    dtype: torch.dtype
    storage: Storage
    page_tokens: int

    @property
    def row_shape(self) -> tuple[int, int]:
        """(L, B): layers, and bytes of a token in one."""
        return self.shape.layers, RowCodec(self.shape, self.dtype, self.storage).row_bytes

    def described(self) -> str:
        """All of it in words; equal words are equal formats."""
        shape = self.shape
        return (
            f"archive version {_VERSION}, {shape.layers} layers, {shape.heads} heads, "
            f"{shape.kv_heads} kv heads of {shape.head_dim}, {str(self.dtype).removeprefix('torch.')}, "
            f"stored {self.storage}, pages of {self.page_tokens} tokens"
        )


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a log. floor: tokens with lower numbers have been dealt with. size: bytes of the header."""

    described: str
    floor: int
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """One append: its tokens (N,), the place of its first row in the file, its rows' checksum, its pictures (P,)."""

    tokens: Structs
    first_row: int
    rows_crc: int
    pictures: Structs

    @property
    def end_row(self) -> int:
        """The place behind its last row."""
        return self.first_row + len(self.tokens)

    def packed(self) -> bytes:
        """The record as it stands in the log."""
        count, pictures = len(self.tokens), len(self.pictures)
        length = _HEAD.size + self.tokens.nbytes + self.pictures.nbytes + _CRC.size
        head = _HEAD.pack(_MAGIC, length, count, pictures, self.first_row, self.rows_crc)
        body = head + self.tokens.tobytes() + self.pictures.tobytes()
        return body + _CRC.pack(zlib.crc32(body))


def packed_header(kind: Format, floor: int) -> bytes:
    """A header as it stands in the log."""
    words = json.dumps({"format": kind.described(), "floor": floor}).encode()
    body = _HEADER.pack(_HEADER_MAGIC, len(words)) + words
    return body + _CRC.pack(zlib.crc32(body))


def header_of(log: bytes) -> Header | None:
    """The header of a log, if it is whole."""
    if len(log) < _HEADER.size or not log.startswith(_HEADER_MAGIC):
        return None
    end = _HEADER.size + _HEADER.unpack_from(log)[1]
    if len(log) < end + _CRC.size or _CRC.unpack_from(log, end)[0] != zlib.crc32(log[:end]):
        return None
    words = json.loads(log[_HEADER.size : end])
    return Header(words["format"], words["floor"], end + _CRC.size)


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole record and the bytes start..stop of the log that it stands in."""

    start: int
    stop: int
    record: Record


def entries_of(log: bytes, start: int) -> Iterator[Entry]:
    """The whole records of a log from `start` on; what is not one is passed over."""
    while start >= 0:
        entry = _entry_at(log, start)
        if entry is not None:
            yield entry
            start = entry.stop
        else:
            start = log.find(_MAGIC, start + 1)


def _entry_at(log: bytes, start: int) -> Entry | None:
    if len(log) < start + _HEAD.size:
        return None
    magic, length, count, pictures, first_row, rows_crc = _HEAD.unpack_from(log, start)
    stop, end = start + length, start + length - _CRC.size
    needed = _HEAD.size + count * TOKEN.itemsize + pictures * PICTURE.itemsize + _CRC.size
    if magic != _MAGIC or length != needed or stop > len(log):
        return None
    if _CRC.unpack_from(log, end)[0] != zlib.crc32(log[start:end]):
        return None
    tokens = np.frombuffer(log, TOKEN, count, start + _HEAD.size)
    behind = start + _HEAD.size + tokens.nbytes
    shown = np.frombuffer(log, PICTURE, pictures, behind)
    return Entry(start, stop, Record(tokens, first_row, rows_crc, shown))


def tokens_of(block: KVBlock, first_number: int) -> Structs:
    """What is known of a block's tokens (N,) beside their keys and values."""
    tokens = np.empty(len(block), TOKEN)
    tokens["time"], tokens["utc"] = block.times.cpu().numpy(), block.utcs.cpu().numpy()
    tokens["frame"] = block.frames.cpu().numpy()
    tokens["number"] = np.arange(first_number, first_number + len(block))
    return tokens
