"""Tape: a recording's file as libav reads it, which ends where reading on would lead nowhere."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import av
import av.error
from av.container import InputContainer

from streams.address import Address
from streams.bounds import DECODER_OPTIONS
from streams.claims import MOST_SAMPLES, Claims
from streams.errors import SourceCorrupt
from streams.explain import explain
from streams.source import SourceOptions

# What may be read from one packet to the next, and while a file is opened: its index is read then. Without this bound a file of
# raw H.264 that goes on in zeros is read for ever, into one packet that grows for ever.
MAX_BYTES_BETWEEN = 128 * 2**20
# So much may be read however long it takes: a disk may be slow, and a machine busy.
BYTES_AT_LEISURE = 8 * 2**20


class Tape:
    """A recording's file as libav reads it: it ends when `cancelled`, or when too much was read without a packet.

    For libav a file like any other; OSError where it cannot be opened. seekable: whether libav may go back and forth. limit:
    bytes that are too much. patience_s: seconds after which a few are. `exhausted`: whether it ended so.
    """

    def __init__(
        self,
        path: str,
        cancelled: Callable[[], bool],
        *,
        seekable: bool = True,
        limit: int = MAX_BYTES_BETWEEN,
        patience_s: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.exhausted = self._lying = False
        self.name = path  # libav looks at its ending.
        self._cancelled = cancelled
        self._seekable = seekable
        self._limit = limit
        self._patience_s = patience_s
        self._monotonic = monotonic
        self._since, self._since_s = 0, 0.0
        self._file = Path(path).open("rb", buffering=0)
        self._claims = Claims(os.fstat(self._file.fileno()).st_size or MOST_SAMPLES)

    def led_to_packet(self) -> None:
        """Take note of a packet. Not at the end: what is left then comes out as one."""
        if not self.exhausted:
            self._since = 0

    def lost(self, shown: str) -> SourceCorrupt:
        """What to raise when it is exhausted."""
        if self._lying:
            return SourceCorrupt(
                f"{shown} claims more samples than it can hold; check that it plays elsewhere"
            )
        return SourceCorrupt(
            f"{shown}: nothing was found in {self._since / 2**20:.0f} MiB; it is damaged, check that it plays elsewhere"
        )

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if self.exhausted or self._cancelled():
            return b""
        if not self._since:
            self._since_s = self._monotonic()
        data = self._file.read(size) or b""
        self._since += len(data)
        if self._claims.excessive(data):
            self.exhausted = self._lying = True
            return b""
        if self._since > min(self._limit, BYTES_AT_LEISURE):
            late = self._monotonic() - self._since_s > self._patience_s
            self.exhausted = late or self._since > self._limit
        return data

    def seekable(self) -> bool:
        """Whether it can be sought in."""
        return self._seekable and self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; below 0, as libav wants it, where there is none: damaged files send it before their beginning."""
        self._claims.jumped()
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            return -(error.errno or errno.EINVAL)

    def tell(self) -> int:
        """The place where it is."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file; libav leaves that to its owner."""
        self._file.close()


def open_recording(address: Address, options: SourceOptions) -> tuple[InputContainer, Tape]:
    """The opened container and its tape, which is to be closed after it. StreamError where it cannot be opened."""
    try:
        try:
            return _open(address, options, seekable=True)
        except EOFError:
            # An MP4 of fragments that ends inside a fragment's head, as one that is still being written: libav looks at all of
            # them and gives up. Read from the front, it gives the fragments before.
            return _open(address, options, seekable=False)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise explain(error, address, options, opening=True) from error


def _open(
    address: Address, options: SourceOptions, *, seekable: bool
) -> tuple[InputContainer, Tape]:
    tape = Tape(
        address.target,
        options.cancelled,
        seekable=seekable,
        patience_s=options.read_timeout_s,
    )
    try:
        container = av.open(tape, "r", options=DECODER_OPTIONS, metadata_errors="replace")
    except BaseException:
        tape.close()
        if tape.exhausted:
            raise tape.lost(address.shown) from None
        raise
    return container, tape
