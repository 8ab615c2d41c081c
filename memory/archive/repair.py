"""Opening a segment's files: what is whole is taken, a torn tail is cut off, what is spoilt is left out and reported.

Opening reads the log, which carries its own checksums. That rows and pictures are those that were written is seen by reading
all of them, which `checked` does: before anything of the segment is given out, but not before the stream may go on.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

import memory.archive.disk as disk
from memory.archive.errors import explained
from memory.archive.files import Ends, Picture, Rows, SegmentFiles, SegmentName
from memory.archive.record import TOKEN, Entry, Format, Header, Structs, entries_of


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done to a file that was not as it should be."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What is whole of a segment: its files, its tokens (N,) in order, their places (N,) in the file of rows, and where the
    pictures lie. spoilt: whether the files hold more than that. unchecked: the records whose rows and pictures nobody has held
    against their checksums yet, none where that was done; log_start: where the first of them stands.
    """

    files: SegmentFiles
    tokens: Structs
    places: npt.NDArray[np.int64]
    pictures: dict[int, Picture]
    spoilt: bool
    unchecked: tuple[Entry, ...] = ()
    log_start: int = 0


def opened(
    folder: Path, name: SegmentName, kind: Format, log: bytes, header: Header
) -> tuple[Stored, list[Repair]]:
    """Read a segment's log and shorten its files to what counts; rows and pictures stay unchecked, unless the log itself is
    not as it was written. Errors are those of memory/archive/errors.py.
    """
    files = SegmentFiles(folder, name, kind.row_shape, Ends())
    layers, row_bytes = kind.row_shape
    stride = layers * row_bytes
    try:
        there = disk.size(files.path("rows")) // stride
        entries, ends = _in_the_files(log, header.size, there)
        repairs = [
            Repair(files.path(suffix), f"cut off {excess} bytes of a torn tail")
            for suffix, end in (
                ("rows", ends.rows * stride),
                ("jpegs", ends.jpegs),
                ("log", ends.log),
            )
            if (excess := _shortened(files.path(suffix), end)) > 0
        ]
    except OSError as error:
        raise explained(error, files.path("log")) from error
    files = SegmentFiles(folder, name, kind.row_shape, ends)
    files.rows()  # a file that cannot be opened is found out now
    stored = replace(_stored(files, entries), unchecked=tuple(entries), log_start=header.size)
    if not _sorted_out(files, entries, header.size, rows=None)[1]:
        return stored, repairs
    # Which of two records that want one place is the true one, their rows alone can tell.
    stored, more = checked(stored)
    return stored, repairs + more


def checked(stored: Stored) -> tuple[Stored, list[Repair]]:
    """Hold every row and picture against its checksum: what is whole, and what was left out.

    Errors are those of memory/archive/errors.py.
    """
    files = stored.files
    good, spoilt = _sorted_out(files, stored.unchecked, stored.log_start, rows=files.rows())
    whole = _stored(files, good)
    shown = {
        frame: place for frame, place in whole.pictures.items() if files.picture(place) is not None
    }
    for frame in whole.pictures.keys() - shown.keys():
        spoilt.append(Repair(files.path("jpegs"), f"left out the spoilt picture of frame {frame}"))
    return replace(whole, pictures=shown, spoilt=bool(spoilt)), spoilt


def _stored(files: SegmentFiles, entries: Sequence[Entry]) -> Stored:
    """What some records of a segment say that it holds."""
    records = [entry.record for entry in entries]
    places = [np.arange(record.first_row, record.end_row) for record in records]
    pictures = {
        int(frame): Picture(int(offset), int(length), int(crc))
        for record in records
        for frame, offset, length, crc in record.pictures
    }
    return Stored(
        files,
        np.concatenate([np.empty(0, TOKEN), *(record.tokens for record in records)]),
        np.concatenate([np.empty(0, np.int64), *places]),
        pictures,
        spoilt=False,
    )


def _in_the_files(log: bytes, start: int, rows: int) -> tuple[list[Entry], Ends]:
    """The records before the torn tail, which begins behind the last one whose rows are all there; and where it begins."""
    entries = list(entries_of(log, start))
    while entries and entries[-1].record.end_row > rows:
        entries.pop()
    pictures = [entry.record.pictures for entry in entries]
    # The furthest, not the last: a stray record must not have good rows cut off.
    furthest = max((entry.record.end_row for entry in entries), default=0)
    return entries, Ends(
        rows=min(rows, furthest),
        jpegs=max(
            (int(end) for each in pictures for end in each["offset"] + each["length"]), default=0
        ),
        log=entries[-1].stop if entries else start,
    )


def _shortened(path: Path, end: int) -> int:
    """Cut what a file has behind its end; gives back how much that was."""
    excess = disk.size(path) - end
    if excess > 0:
        disk.cut(path, end)
    return excess


def _sorted_out(
    files: SegmentFiles, entries: Sequence[Entry], start: int, *, rows: Rows | None
) -> tuple[list[Entry], list[Repair]]:
    """The records in stream order whose rows, where they are given, are those that were written; and what is said of the
    others.
    """
    good, left_out = [], []
    next_row, after = 0, start
    last = np.array((-np.inf, 0, 0, -1), TOKEN)
    for entry in entries:
        record = entry.record
        if entry.start > after:
            left_out.append(Repair(files.path("log"), f"left out a spoilt record at byte {after}"))
        after = entry.stop
        if record.first_row < next_row or not _in_order(last, record.tokens):
            left_out.append(Repair(files.path("log"), f"left out a stray record at {entry.start}"))
            continue
        own = slice(record.first_row, record.end_row)
        if rows is not None and zlib.crc32(rows[own].data) != record.rows_crc:
            first, final = record.tokens["number"][[0, -1]]
            what = f"left out the spoilt tokens {first} to {final}"
            left_out.append(Repair(files.path("rows"), what))
            continue
        good.append(entry)
        next_row, last = record.end_row, record.tokens[-1]
    return good, left_out


def _in_order(last: np.void | Structs, tokens: Structs) -> bool:
    """Whether tokens come behind a last one: numbers rise, times do not fall."""
    numbers = np.concatenate(([last["number"]], tokens["number"]))
    times = np.concatenate(([last["time"]], tokens["time"]))
    return bool((np.diff(numbers) > 0).all() and (times[1:] >= times[:-1]).all())
