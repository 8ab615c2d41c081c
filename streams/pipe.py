"""Pipe: standard input as a file that libav can read, by one stream only."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from typing import BinaryIO

from streams.errors import SourceBusy, SourceNotFound

# How often a reader that waits for more looks whether it was cancelled.
NAP_S = 0.2
_HOW = "pipe a video into the command, as in `cat clip.ts | livevlm ...`"


class Waiting:
    """Reads what comes through a pipe and ends early when `cancelled`: libav itself could not be interrupted while it waits."""

    def __init__(self, descriptor: int, cancelled: Callable[[], bool]) -> None:
        self.received = 0
        self._descriptor = descriptor
        self._cancelled = cancelled
        # Windows cannot wait for a pipe; there a reader that was cancelled ends with the next bytes.
        self._can_wait = sys.platform != "win32"

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end. `received` counts them."""
        while not self._cancelled():
            if not self._can_wait or select.select([self._descriptor], [], [], NAP_S)[0]:
                data = os.read(self._descriptor, size)
                self.received += len(data)
                return data
        return b""


def nothing_came(taken: BinaryIO | Waiting) -> bool:
    """Whether what was taken was empty, as far as it was read."""
    return not (taken.received if isinstance(taken, Waiting) else os.fstat(taken.fileno()).st_size)


def take_stdin(cancelled: Callable[[], bool]) -> BinaryIO | Waiting:
    """What comes in on standard input, for whoever takes it first. SourceBusy for everyone after, SourceNotFound without any.

    A file that was redirected can be sought in, and is given as it is.
    """
    stdin = sys.stdin
    if not isinstance(stdin, io.TextIOWrapper):
        raise SourceNotFound(f"standard input is closed; {_HOW}")
    try:
        if stdin.isatty():
            raise SourceNotFound(f"standard input is a terminal; {_HOW}")
        # Detached, it can be told from one that was never taken, without a note of our own.
        taken: BinaryIO = stdin.detach()
    except ValueError as error:
        raise SourceBusy(
            "standard input is read by one stream only, and once; give this one another address"
        ) from error
    return taken if taken.seekable() else Waiting(taken.fileno(), cancelled)
