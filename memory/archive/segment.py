"""Segment: a stretch of a stream's tokens, append-only, in memory or in files (memory/archive/files.py).

While it is written its rows are in memory too; afterwards `spill` leaves them to the files. What is known of each token
beside its rows (times, frame, number) always stays in memory: 40 bytes a token.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from memory.archive.files import Picture, Rows, SegmentFiles
from memory.archive.record import TOKEN, Structs
from memory.archive.repair import Stored

Places = npt.NDArray[np.int64]


class Segment:
    """At most `capacity` tokens' rows (T, L, B) and their pictures.

    Made of files it writes through to them; made of `stored` it begins with what is whole of them, and reads that from
    the files if it cannot grow.
    """

    def __init__(
        self,
        row_shape: tuple[int, int],
        capacity: int,
        *,
        files: SegmentFiles | None = None,
        stored: Stored | None = None,
    ) -> None:
        held = len(stored.tokens) if stored else 0
        capacity = max(capacity, held)
        self._files = stored.files if stored else files
        self._length = held
        self._tokens = np.zeros(capacity, TOKEN)
        # Where each token's row lies in the file: not at its place here if something spoilt lies between.
        self._at = np.zeros(capacity, np.int64)
        self._pictures: dict[int, Picture] = {}
        self._jpegs: dict[int, bytes] = {}
        self._rows: Rows = np.empty((0, *row_shape), np.uint8)
        self._spilled = False
        self.spoilt = bool(stored and stored.spoilt)
        if stored:
            self._tokens[:held], self._at[:held] = stored.tokens, stored.places
            self._pictures = dict(stored.pictures)
        if stored and held == capacity:
            self.spill()
            return
        self._rows = np.empty((capacity, *row_shape), np.uint8)
        if stored:
            self._rows[:held] = stored.files.rows()[stored.places]

    @property
    def row_shape(self) -> tuple[int, int]:
        """(L, B): layers, and bytes of a token in one."""
        return int(self._rows.shape[1]), int(self._rows.shape[2])

    def __len__(self) -> int:
        return self._length

    @property
    def room(self) -> int:
        """How many more tokens fit."""
        return 0 if self._spilled else len(self._rows) - self._length

    @property
    def tokens(self) -> Structs:
        """A view (T,) of the tokens' times, utcs, frames and numbers."""
        return self._tokens[: self._length]

    @property
    def files(self) -> SegmentFiles | None:
        """Where it lies, unless in memory alone."""
        return self._files

    @property
    def pictures(self) -> int:
        """Of how many frames it has pictures."""
        return len(self._pictures) + len(self._jpegs)

    def shows(self, frame: int) -> bool:
        """Whether it has a picture of a frame."""
        return frame in self._pictures or frame in self._jpegs

    @property
    def host_bytes(self) -> int:
        """Bytes of rows and pictures in memory, those allocated ahead too."""
        rows = 0 if self._spilled else self._rows.nbytes
        return rows + sum(map(len, self._jpegs.values()))

    @property
    def disk_bytes(self) -> int:
        """Bytes of its files."""
        return self._files.nbytes if self._files else 0

    def append(
        self, rows: Tensor, tokens: Structs, pictures: Mapping[int, bytes] | None = None
    ) -> None:
        """Add rows (N, L, B) uint8 of tokens (N,), N > 0, and JPEGs by frame.

        Raises ArchiveFull, ArchiveReadOnly or ArchiveFailed; then nothing has changed.
        """
        start, stop = self._length, self._length + len(tokens)
        assert 0 < len(tokens) <= self.room, (len(tokens), self.room)
        plain = rows.contiguous().numpy()
        assert plain.shape == (len(tokens), *self._rows.shape[1:]), plain.shape
        jpegs = pictures or {}
        if self._files:
            first = self._files.next_row
            self._pictures.update(self._files.append(plain, tokens, jpegs))
            self._at[start:stop] = np.arange(first, first + len(tokens))
        else:
            self._jpegs.update(jpegs)
        self._rows[start:stop] = plain
        self._tokens[start:stop] = tokens
        self._length = stop

    def read(self, places: Tensor) -> Tensor:
        """Places (L, M) -> rows (L, M, B)."""
        layers = np.arange(places.shape[0])[:, None]
        return torch.from_numpy(self.take(layers, places.numpy()))

    def take(self, layers: Places, places: Places) -> Rows:
        """The rows (..., B) of places in layers, two arrays of one shape (or that broadcast to one)."""
        assert places.size == 0 or 0 <= places.min() <= places.max() < self._length, places
        return self._rows[self._at[places] if self._spilled else places, layers]

    def expect(self, places: Places) -> None:
        """All layers of these places will be read in a moment: what of it is in files alone, begin to read it."""
        if self._files and self._spilled and places.size:
            rows = np.unique(self._at[places])
            for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
                self._files.expect(int(run[0]), int(run[-1]) + 1)

    def picture(self, frame: int) -> bytes | None:
        """The JPEG of a frame."""
        if self._files and frame in self._pictures:
            return self._files.picture(self._pictures[frame])
        return self._jpegs.get(frame)

    def spill(self) -> None:
        """Leave the rows to the files; nothing can be appended any more."""
        assert self._files, "a segment in memory alone has nowhere to spill to"
        if not self._spilled:
            self._rows, self._spilled = self._files.rows(), True

    @property
    def spilled(self) -> bool:
        """Whether its rows are in the files alone."""
        return self._spilled

    def sync(self) -> None:
        """Bring it safely to the disk."""
        if self._files:
            self._files.sync()

    def remove(self) -> None:
        """Delete its files; it must not be read any more."""
        if self._files:
            self._files.remove()
