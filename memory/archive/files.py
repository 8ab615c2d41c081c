"""SegmentFiles: the files of one segment. NAME.rows: rows of fixed stride; NAME.jpegs: pictures, end to end; NAME.log: what
stands in the two (memory/archive/record.py).

An append writes rows, then pictures, then the log's record: a record that is whole means that its rows are there.
"""

from __future__ import annotations

import contextlib
import mmap
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import memory.archive.disk as disk
from memory.archive.errors import explained
from memory.archive.record import PICTURE, Format, Record, Structs, packed_header

Rows = npt.NDArray[np.uint8]


class SegmentName(NamedTuple):
    """Where a segment stands in the vault, and how often it was rewritten."""

    sequence: int
    generation: int

    def __str__(self) -> str:
        return f"{self.sequence:08d}-{self.generation}"


class Picture(NamedTuple):
    """Where a picture lies among its segment's, and its checksum."""

    offset: int
    length: int
    crc: int


@dataclass(frozen=True, slots=True)
class Ends:
    """How much of each file counts: rows, bytes of pictures, bytes of log. What lies behind is overwritten."""

    rows: int = 0
    jpegs: int = 0
    log: int = 0


class SegmentFiles:
    """The files of one segment. Errors are those of memory/archive/errors.py.

    A draft keeps its log under a passing name until `commit`, and so does not exist for who opens the folder.
    """

    def __init__(
        self, folder: Path, name: SegmentName, row_shape: tuple[int, int], ends: Ends | None = None
    ) -> None:
        self.name, self._folder, self._row_shape = name, folder, row_shape
        self._draft = ends is None
        self._ends = ends or Ends()
        # What a process that was killed has written may not be on the disk yet.
        self._dirty = True
        self._map: mmap.mmap | None = None

    @classmethod
    def draft(cls, folder: Path, name: SegmentName, kind: Format, floor: int) -> SegmentFiles:
        """New files with nothing but a header."""
        files = cls(folder, name, kind.row_shape)
        header = packed_header(kind, floor)
        try:
            for leftover in ("rows", "jpegs", "log.tmp"):
                disk.remove(files.path(leftover))
            disk.write_at(files.path("log.tmp"), 0, header)
        except OSError as error:
            files._remove_quietly()
            raise explained(error, files.path("log.tmp")) from error
        files._ends = Ends(log=len(header))
        return files

    def path(self, kind: str) -> Path:
        """One of the files: rows, jpegs or log."""
        return self._folder / f"{self.name}.{kind}"

    @property
    def nbytes(self) -> int:
        """Bytes of the files."""
        ends, (layers, row_bytes) = self._ends, self._row_shape
        return ends.rows * layers * row_bytes + ends.jpegs + ends.log

    @property
    def next_row(self) -> int:
        """The place in the file of the row that is appended next."""
        return self._ends.rows

    def append(
        self, rows: Rows, tokens: Structs, pictures: Mapping[int, bytes]
    ) -> dict[int, Picture]:
        """Write rows (N, L, B) of tokens (N,) and pictures by their frames; gives back where the pictures lie.

        If it fails nothing of it counts, and an append that follows takes its place.
        """
        ends, laid, offset = self._ends, {}, self._ends.jpegs
        for frame, jpeg in pictures.items():
            laid[frame] = Picture(offset, len(jpeg), zlib.crc32(jpeg))
            offset += len(jpeg)
        listed = np.array([(frame, *place) for frame, place in laid.items()], dtype=PICTURE)
        record = Record(tokens, ends.rows, zlib.crc32(rows.data), listed).packed()
        parts = (
            ("rows", ends.rows * rows[0].nbytes, rows.data),
            ("jpegs", ends.jpegs, b"".join(pictures.values())),
            (self._log, ends.log, record),
        )
        for kind, end, data in parts:
            try:
                if len(data):
                    disk.write_at(self.path(kind), end, data)
            except OSError as error:
                self._cut_quietly()
                raise explained(error, self.path(kind)) from error
        self._ends = Ends(ends.rows + len(tokens), offset, ends.log + len(record))
        self._dirty = True
        return laid

    def rows(self) -> Rows:
        """All rows (T, L, B) as they lie in the file, read when they are looked at."""
        size = (self._ends.rows, *self._row_shape)
        if not self._ends.rows:
            return np.empty(size, np.uint8)
        path = self.path("rows")
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), int(np.prod(size)), access=mmap.ACCESS_READ)
        except OSError as error:
            raise explained(error, path) from error
        return np.frombuffer(self._map, np.uint8).reshape(size)

    def expect(self, first: int, end: int) -> None:
        """Have the system read the rows first..end, some at least, while other things are done. Without this each of them is
        waited for when it is looked at, with much that lies around it.
        """
        if self._map is not None:
            layers, row_bytes = self._row_shape
            start, stop = first * layers * row_bytes, end * layers * row_bytes
            start -= start % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, start, stop - start)

    def picture(self, place: Picture) -> bytes | None:
        """The bytes of a picture; none if they are not those that were written."""
        path = self.path("jpegs")
        try:
            jpeg = disk.read_at(path, place.offset, place.length)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explained(error, path) from error
        return jpeg if len(jpeg) == place.length and zlib.crc32(jpeg) == place.crc else None

    def sync(self) -> None:
        """Bring all that was appended safely to the disk; the folder's entries are the caller's."""
        if not self._dirty:
            return
        for kind in ("rows", "jpegs", self._log):
            try:
                disk.sync(self.path(kind))
            except OSError as error:
                raise explained(error, self.path(kind)) from error
        self._dirty = False

    def commit(self) -> None:
        """Make a draft a segment: from here on it exists."""
        try:
            disk.rename(self.path("log.tmp"), self.path("log"))
        except OSError as error:
            raise explained(error, self.path("log")) from error
        self._draft = False

    def remove(self) -> None:
        """Delete the files, the log first: without it the others are garbage, which the next opening removes."""
        for kind in (self._log, "rows", "jpegs"):
            try:
                disk.remove(self.path(kind))
            except OSError as error:
                raise explained(error, self.path(kind)) from error
        self._ends = Ends()

    @property
    def _log(self) -> str:
        return "log.tmp" if self._draft else "log"

    def _cut_quietly(self) -> None:
        """Free what a failed append has taken; what cannot be freed does not count all the same."""
        ends, (layers, row_bytes) = self._ends, self._row_shape
        kept = (
            ("rows", ends.rows * layers * row_bytes),
            ("jpegs", ends.jpegs),
            (self._log, ends.log),
        )
        for kind, end in kept:
            with contextlib.suppress(OSError):
                disk.cut(self.path(kind), end)

    def _remove_quietly(self) -> None:
        with contextlib.suppress(OSError):
            disk.remove(self.path("log.tmp"))
