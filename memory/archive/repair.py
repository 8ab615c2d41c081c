"""Opening a segment's files: what is whole is taken, a torn tail is cut off, what is spoilt is left out and reported."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import memory.archive.disk as disk
from memory.archive.errors import explained
from memory.archive.files import Ends, Picture, SegmentFiles, SegmentName
from memory.archive.record import TOKEN, Entry, Format, Header, Structs, entries_of


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done to a file that was not as it should be."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What is whole of a segment: its files, its tokens (N,) in order, their places (N,) in the file of rows, and where the
    pictures lie. spoilt: whether the files hold more than that.
    """

    files: SegmentFiles
    tokens: Structs
    places: npt.NDArray[np.int64]
    pictures: dict[int, Picture]
    spoilt: bool


def opened(
    folder: Path, name: SegmentName, kind: Format, log: bytes, header: Header
) -> tuple[Stored, list[Repair]]:
    """Check every record of a segment, and shorten its files to what counts."""
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
    good, spoilt = _with_their_rows(files, entries, header.size)
    pictures = {
        int(frame): Picture(int(offset), int(length), int(crc))
        for record in good
        for frame, offset, length, crc in record.record.pictures
    }
    shown = {frame: place for frame, place in pictures.items() if files.picture(place) is not None}
    for frame in pictures.keys() - shown.keys():
        spoilt.append(Repair(files.path("jpegs"), f"left out the spoilt picture of frame {frame}"))
    tokens = [entry.record.tokens for entry in good]
    places = [np.arange(entry.record.first_row, entry.record.end_row) for entry in good]
    stored = Stored(
        files,
        np.concatenate([np.empty(0, TOKEN), *tokens]),
        np.concatenate([np.empty(0, np.int64), *places]),
        shown,
        bool(spoilt),
    )
    return stored, repairs + spoilt


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


def _with_their_rows(
    files: SegmentFiles, entries: list[Entry], start: int
) -> tuple[list[Entry], list[Repair]]:
    """The records whose rows are those that were written, in stream order; and what is said of the others."""
    rows, good, left_out = files.rows(), [], []
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
        if zlib.crc32(rows[record.first_row : record.end_row].data) != record.rows_crc:
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
