"""Claims: how many samples an MP4 says that it holds, noticed in its bytes before libav believes it.

libav makes room for as many samples as a fragment or a track names where they need no bytes of their own. A file of 3 kB with a
few bytes displaced, found by the fuzz, made it take 3 GB and half a minute.
"""

from __future__ import annotations

import struct

# Some 40 bytes each; a day at 60 pictures a second with its sound has nine million.
MOST_SAMPLES = 2**25
# A name, and what must be read behind it.
_FRAGMENT, _FRAGMENT_BYTES = b"trun", 12
_TRACK, _TRACK_BYTES = b"stsz", 16
_LONGEST = max(_FRAGMENT_BYTES, _TRACK_BYTES)
# Flags of samples that bring fields, which the file must hold.
_FIELDS = 0xF00
# By chance the names stand in pictures, too; but then hardly behind a size that a box may have.
_MOST_BOX_BYTES = 2**24


class Claims:
    """Looks at a file's bytes as they are read, piece by piece. file_bytes: its size, which no count of samples exceeds."""

    def __init__(self, file_bytes: int) -> None:
        self._file_bytes = file_bytes
        self._claimed = 0
        self._tail = b""

    def jumped(self) -> None:
        """The next piece does not follow the one before."""
        self._tail = b""

    def excessive(self, piece: bytes) -> bool:
        """Whether with this piece more samples are claimed than can be."""
        text, seen = self._tail + piece, len(self._tail)
        for name, length in ((_FRAGMENT, _FRAGMENT_BYTES), (_TRACK, _TRACK_BYTES)):
            place = text.find(name)
            while place >= 0:
                whole = seen < place + length <= len(text)
                if whole and 16 <= _size(text, place) < _MOST_BOX_BYTES:
                    self._claimed += self._samples(text, place)
                place = text.find(name, place + 1)
        # The size before a name is needed, too.
        self._tail = text[-(_LONGEST + 4 - 1) :]
        return self._claimed > min(self._file_bytes, MOST_SAMPLES)

    def _samples(self, text: bytes, place: int) -> int:
        """Samples that the box at this place claims without bytes of their own."""
        if text.startswith(_FRAGMENT, place):
            flags, count = struct.unpack_from(">II", text, place + 4)
            return 0 if flags & _FIELDS else int(count)
        each, count = struct.unpack_from(">II", text, place + 8)
        # Sound without compression has a sample for every beat: there they are as many as there are bytes for.
        return int(count) if each * count > self._file_bytes else 0


def _size(text: bytes, place: int) -> int:
    """The size that stands before a box's name; 0 where that was not read."""
    return int.from_bytes(text[place - 4 : place], "big") if place >= 4 else 0
