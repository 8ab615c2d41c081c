"""Vault: everything that a stream has shown, as keys and values, under caps in bytes and time.

Tokens come in in stream order and are written to the newest of a row of segments (memory/archive/segment.py). Whole
segments go, oldest first: from memory to files where there is a folder, and away at the caps. The newest never goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from memory.archive.caps import VaultOptions, hold_caps
from memory.archive.checks import Checks
from memory.archive.erasing import carry_over
from memory.archive.errors import ArchiveError
from memory.archive.folder import ArchiveFolder
from memory.archive.record import TOKEN, Format, Structs, tokens_of
from memory.archive.repair import Repair
from memory.archive.rows import RowCodec
from memory.archive.segment import Segment
from memory.archive.series import Series
from memory.kv import KVBlock, KVShape, TimeSpan
from memory.pages import page_means

# How many pages are decoded at once where all are gone through.
_PAGES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Archived:
    """Tokens read: keys (position-free) and values (L, G, M, D); times, utcs float64, frames, numbers int64 (L, M)."""

    keys: Tensor
    values: Tensor
    times: Tensor
    utcs: Tensor
    frames: Tensor
    numbers: Tensor

    def __len__(self) -> int:
        return int(self.keys.shape[2])


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest frame that is remembered: its number, its stream seconds, and its POSIX seconds."""

    frame: int
    stream_s: float
    utc: float


@dataclass(frozen=True, slots=True)
class VaultStats:
    """What a vault holds. from_s to to_s: stream seconds, from_utc to to_utc: POSIX seconds, of its first and last token."""

    tokens: int
    pages: int
    segments: int
    host_bytes: int
    disk_bytes: int
    from_s: float | None
    to_s: float | None
    from_utc: float | None
    to_utc: float | None
    pictures: int


class Vault:
    """The archive of one stream's tokens. Errors are those of memory/archive/errors.py.

    Opening one with a folder takes what lies there; it is checked by `check_next`, or before anything is read of it. `repairs`
    says what was not as it should be. Not thread-safe.
    """

    def __init__(self, shape: KVShape, dtype: torch.dtype, options: VaultOptions) -> None:
        self._options = options
        self._format = Format(shape, dtype, options.storage, options.page_tokens)
        self._codec = RowCodec(shape, dtype, options.storage)
        self._series = Series(options.page_tokens, self._format.row_shape)
        self._folder = ArchiveFolder(options.folder, self._format) if options.folder else None
        self._end = 0
        # Segments that no longer count, and whose files are still to be deleted.
        self._leaving: list[Segment] = []
        self._checks = Checks()
        if self._folder:
            self._end = self._checks.load(self._folder, self._series, options.segment_tokens)
        hold_caps(self._series, self._options, self._folder)

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was not as it should be, as far as it has been looked for."""
        return self._checks.repairs

    def check_next(self) -> bool:
        """Check another segment of those in the folder; False where all are. If tokens are left out pages have new ids."""
        return self._folder is not None and self._checks.next(self._folder, self._series)

    @property
    def end_number(self) -> int:
        """The number of the token that is wanted next; lower ones are passed over."""
        return self._end

    @property
    def first_number(self) -> int:
        """The number of the oldest token held; the one that is wanted next where none is."""
        oldest = (int(one.tokens["number"][0]) for one in self._series.segments if len(one))
        return next(oldest, self._end)

    @property
    def page_tokens(self) -> int:
        """Tokens of a page."""
        return self._options.page_tokens

    def newest(self) -> Newest | None:
        """The newest token's frame, if any token is held."""
        for segment in reversed(self._series.segments):
            if len(segment):
                last = segment.tokens[-1]
                return Newest(int(last["frame"]), float(last["time"]), float(last["utc"]))
        return None

    @property
    def first_page(self) -> int:
        """The lowest id of a page that is there."""
        return self._checked().first_page

    @property
    def end_page(self) -> int:
        """The id that the next page will have."""
        return self._checked().end_page

    def append(
        self, block: KVBlock, first_number: int, pictures: Mapping[int, bytes] | None = None
    ) -> None:
        """Add a block's tokens, numbered from `first_number`, and JPEGs of its frames by their numbers.

        What is below `end_number` is there already and passed over, so that an append that failed may simply be done
        again: of its tokens those from some place on are missing.
        """
        skip = max(0, self._end - first_number)
        if skip >= len(block):
            return
        tokens = tokens_of(block, first_number)[skip:]
        times, last = tokens["time"], self._series.last
        before = last.tokens["time"][-1] if last is not None and len(last) else times[0]
        assert before <= times[0] and (np.diff(times) >= 0).all(), "times fall in stream order"
        rows = self._codec.encode(block.keys[:, :, skip:], block.values[:, :, skip:])
        start = 0
        while start < len(tokens):
            segment = self._roomy()
            part = slice(start, start + segment.room)
            segment.append(rows[part], tokens[part], self._unseen(tokens[part], pictures or {}))
            start += len(tokens[part])
            self._end = int(tokens["number"][start - 1]) + 1
            hold_caps(self._series, self._options, self._folder)

    def means(self, low: int, high: int) -> Tensor:
        """The pages low..high -> their mean position-free keys (L, P, G * D), float32."""
        layers, size = self._format.shape.layers, self._options.page_tokens
        width = self._format.shape.kv_heads * self._format.shape.head_dim
        means = [torch.empty(layers, 0, width)]
        for first in range(low, high, _PAGES_AT_ONCE):
            ids = torch.arange(first, min(first + _PAGES_AT_ONCE, high))
            keys, _ = self._codec.decode(self._checked().read(ids.expand(layers, -1))[0])
            means.append(page_means(keys, size))
        return torch.cat(means, dim=1)

    def pages_within(self, span: TimeSpan | None, before: int) -> range:
        """The ids of the pages whose tokens are all inside the span of stream seconds and below the number `before`."""
        return self._checked().within(span, before)

    def read(self, pages: Tensor) -> Archived:
        """Ids of pages (L, P), which must be there -> their tokens (L, ..., P * C), in the order of the ids."""
        return self._archived(*self._checked().read(pages))

    def tail(self, span: TimeSpan | None, before: int) -> Archived:
        """The fewer than 2 * C tokens below `before` and inside the span that follow the last page below `before`; the
        same in all layers.
        """
        return self._archived(*self._checked().tail(span, before))

    def picture(self, frame: int) -> bytes | None:
        """The JPEG of a frame, if there is one."""
        for segment in reversed(self._series.segments):
            if segment.shows(frame):
                return segment.picture(frame)
        return None

    def forget(self, from_s: float, to_s: float) -> int:
        """Erase the tokens of these stream seconds, ends included, and the pictures of their frames, from memory and
        files; gives back how many tokens. All pages have new ids then, unless it is none.

        What was left out or set aside as spoilt is erased too: nobody can say of what time it is. A crash leaves each
        segment as it was or as it shall be; where an error is raised, forget again.
        """
        segments = self._checked().segments
        kept, forgotten = list(segments), 0
        try:
            for place, segment in enumerate(segments):
                times = segment.tokens["time"]
                gone = (times >= from_s) & (times <= to_s)
                if gone.any() or segment.spoilt:
                    kept[place] = self._without(segment, gone)
                    self._leaving.append(segment)
                    forgotten += int(gone.sum())
        finally:
            left = [segment for segment in kept[:-1] if len(segment)]
            self._series.replace([*left, *kept[-1:]], anew=forgotten > 0)
            self._clear()
        return forgotten

    def stats(self) -> VaultStats:
        """Sizes now."""
        segments, folder = self._series.segments, self._folder
        first = next((one.tokens[0] for one in segments if len(one)), None)
        last = next((one.tokens[-1] for one in reversed(segments) if len(one)), None)
        return VaultStats(
            tokens=sum(map(len, segments)),
            pages=self._series.end_page - self._series.first_page,
            segments=len(segments),
            host_bytes=self._series.host_bytes,
            disk_bytes=self._series.disk_bytes + (folder.broken_bytes if folder else 0),
            from_s=None if first is None else float(first["time"]),
            to_s=None if last is None else float(last["time"]),
            from_utc=None if first is None else float(first["utc"]),
            to_utc=None if last is None else float(last["utc"]),
            pictures=sum(segment.pictures for segment in segments),
        )

    def sync(self) -> None:
        """Bring all that was appended safely to the disk: a power cut then takes nothing of it."""
        for segment in self._series.segments:
            segment.sync()
        if self._folder:
            self._folder.sync()

    def close(self) -> None:
        """Bring all to the disk and let go of it; the vault is empty then and must not be used."""
        self.sync()
        self._series.replace([], anew=True)

    def _checked(self) -> Series:
        """The segments, once nothing of them is unchecked."""
        while self.check_next():
            pass
        return self._series

    def _roomy(self) -> Segment:
        """The newest segment, or a new one if it is full."""
        last = self._series.last
        if last is not None and last.room:
            return last
        files = None
        if self._folder:
            files = self._folder.draft(self._end)
            files.commit()
        fresh = Segment(self._format.row_shape, self._options.segment_tokens, files=files)
        self._series.add(fresh)
        return fresh

    def _unseen(self, tokens: Structs, pictures: Mapping[int, bytes]) -> dict[int, bytes]:
        """The pictures of these tokens' frames that are not there yet: a frame may lie in two segments."""
        newest = self._series.segments[-2:]
        frames = [int(frame) for frame in np.unique(tokens["frame"]) if int(frame) in pictures]
        seen = {frame for frame in frames for segment in newest if segment.shows(frame)}
        return {frame: pictures[frame] for frame in frames if frame not in seen}

    def _without(self, segment: Segment, gone: npt.NDArray[np.bool_]) -> Segment:
        """What stands instead of a segment: what is not gone of it, safe on the disk if the old one is there."""
        newest, kept = segment is self._series.last, int((~gone).sum())
        capacity = max(kept, self._options.segment_tokens) if newest else kept
        files = None
        if self._folder and segment.files and capacity:
            files = self._folder.draft(self._end if newest else 0, instead=segment.files.name)
        fresh = Segment(self._format.row_shape, capacity, files=files)
        try:
            carry_over(segment, gone, fresh)
            if files:
                files.sync()
                files.commit()
        except ArchiveError:
            with suppress(ArchiveError):
                fresh.remove()
            raise
        if files and not newest:
            fresh.spill()
        return fresh

    def _clear(self) -> None:
        """Delete the files of what was erased, once what stands instead is safe."""
        if self._folder:
            self._folder.sync()
        while self._leaving:
            self._leaving[0].remove()
            del self._leaving[0]
        if self._folder:
            self._folder.remove_broken()
            self._folder.sync()

    def _archived(self, rows: Tensor, tokens: Structs) -> Archived:
        keys, values = self._codec.decode(rows)
        columns = (np.ascontiguousarray(tokens[name]) for name in TOKEN.names or ())
        return Archived(keys, values, *(torch.from_numpy(column) for column in columns))
