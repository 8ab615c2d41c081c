"""Record: named tensors and some facts as bytes with a checksum. What is read is what was written, whole, or an error.

The tensors are safetensors; in front of them stand a few facts as JSON, and in front of all a header with the length and the
CRC-32 of the rest.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

from safetensors.torch import load, save
from torch import Tensor

_MAGIC = b"LVM1"
_HEADER = struct.Struct("<4sIQQ")  # magic, checksum, bytes of the facts, bytes of the tensors


class Record(NamedTuple):
    """What was written together."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


class TornRecord(Exception):
    """The bytes end before the record does, or are not those that were written."""


def write_record(file: BinaryIO, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a record where the file stands. Raises OSError."""
    said = json.dumps(facts).encode()
    body = save({name: one.contiguous() for name, one in tensors.items()})
    checksum = zlib.crc32(body, zlib.crc32(said))
    file.write(b"".join((_HEADER.pack(_MAGIC, checksum, len(said), len(body)), said, body)))


def read_record(file: BinaryIO) -> Record | None:
    """The record where the file stands; None at its end. Raises TornRecord."""
    header = file.read(_HEADER.size)
    if not header:
        return None
    if len(header) < _HEADER.size:
        raise TornRecord("the header is cut off")
    magic, checksum, facts, tensors = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise TornRecord("no record begins here")
    said, body = _exactly(file, facts), _exactly(file, tensors)
    if zlib.crc32(body, zlib.crc32(said)) != checksum:
        raise TornRecord("the checksum is wrong")
    return Record(json.loads(said), load(body))


def _exactly(file: BinaryIO, count: int) -> bytes:
    # A broken length must not be taken for a wish for memory.
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    if count > end - here:
        raise TornRecord("the record is cut off")
    return file.read(count)
