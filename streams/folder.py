"""FolderSource: the pictures in a folder, as frames. `dir:FOLDER?fps=2&live=1`.

They come in the order of their names, numbers in them counted as numbers, `fps` of them a second of stream time (1 where
nothing is said). With `live=1` the folder is a camera: pictures that appear later, or are written anew, come when they are
whole; `live=new` leaves out what was there before, but for the newest picture.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from av.video.reformatter import VideoReformatter

from streams.address import Address
from streams.errors import (
    AddressUnsupported,
    ConnectionFailed,
    NoVideo,
    SourceCorrupt,
    SourceNotFound,
    StreamError,
)
from streams.frame import Frame
from streams.place import reached
from streams.source import SourceOptions
from streams.still import Still

SUFFIXES = frozenset(".jpg .jpeg .jpe .png .bmp .gif .webp .tif .tiff .ppm .pgm .pnm".split())
# A live folder is looked at this often, and less often where looking takes long. A picture that appeared is read once it is the
# same at two looks: until then it is being written.
LOOK_S = 0.2
LOOKS_SHARE = 0.1
# A file above this is no picture that could be decoded.
MAX_BYTES = 2**30

# What tells a file that was written anew: when it was changed last, in nanoseconds, and its size.
Signature = tuple[int, int]


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A key that sorts `img2` before `img10`, and names alike in this by their letters."""
    parts = re.split(r"(\d+)", name.lower())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts], name


class Arrivals:
    """Which files of a folder are new, or anew, and whole."""

    def __init__(self, known: Mapping[str, Signature]) -> None:
        self._given = dict(known)
        self._seen: Mapping[str, Signature] = {}

    def ready(self, now: Mapping[str, Signature]) -> list[str]:
        """Of what is there now: what was not given yet and has not changed since the last look, in natural order."""
        fresh = [
            name
            for name, signature in now.items()
            if self._given.get(name) != signature == self._seen.get(name)
        ]
        self._given = {name: mark for name, mark in self._given.items() if name in now}
        self._given |= {name: now[name] for name in fresh}
        self._seen = now
        return sorted(fresh, key=natural)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters of a `dir:` address."""

    fps: float = 1.0
    only_new: bool = False

    @classmethod
    def parse(cls, address: Address) -> _Asked:
        for name in address.parameters:
            if name not in ("fps", "live"):
                raise AddressUnsupported(
                    f"{address.shown}: no parameter {name!r}; there are fps and live"
                )
        text = address.parameters.get("fps", "1")
        try:
            fps = float(text)
        except ValueError:
            fps = 0.0
        if not 0 < fps <= 1000:
            raise AddressUnsupported(
                f"{address.shown}: fps must be a number above 0 and at most 1000, not {text!r}"
            )
        return cls(fps, address.parameters.get("live", "").lower() == "new")


class FolderSource:
    """A frame for each picture that can be read; one that cannot be is counted as corrupt and left out."""

    def __init__(
        self,
        address: Address,
        *,
        name: str,
        options: SourceOptions,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder, self._shown = Path(address.target), address.shown
        self._name, self._options, self._live = name, options, address.live
        self._asked = _Asked.parse(address)
        self._monotonic, self._sleep = monotonic, sleep
        self._reformatter = VideoReformatter()
        self._index = 0
        self._there: dict[str, Signature] = {}

    @property
    def live(self) -> bool:
        """Whether pictures are waited for."""
        return self._live

    @property
    def there(self) -> Mapping[str, Signature]:
        """The pictures that were there when it was opened."""
        return self._there

    def __enter__(self) -> Self:
        self._index = 0
        self._there = self._look()
        if not self._there and not self._live:
            raise NoVideo(
                f"{self._shown} holds no pictures ({', '.join(sorted(SUFFIXES))}); check the folder"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[Frame]:
        last_s = 0.0
        names = sorted(self._there, key=natural)
        if self._asked.only_new:
            names = sorted(names, key=self._there.__getitem__)[-1:]
        behind = None if self._live else self._options.behind
        for number, name in enumerate(names):
            if self._options.cancelled():
                return
            last_s = number / self._asked.fps
            if reached(behind, last_s):
                yield from self._frame(name, last_s)
        if self._live:
            yield from self._arriving(last_s)
        elif not (self._index or behind or self._options.cancelled()):
            raise SourceCorrupt(
                f"{self._shown}: none of its {len(names)} pictures can be read; check that they open elsewhere"
            )

    def _arriving(self, last_s: float) -> Iterator[Frame]:
        """Pictures when they come. Stream time goes on by the time that passes, from `last_s` on."""
        base_s = last_s - self._monotonic()
        arrivals = Arrivals(self._there)
        while True:
            began_s = self._monotonic()
            for name in arrivals.ready(self._look()):
                if self._options.cancelled():
                    return
                yield from self._frame(name, base_s + self._monotonic())
            if self._cancelled_within(max(LOOK_S, (self._monotonic() - began_s) / LOOKS_SHARE)):
                return

    def _cancelled_within(self, pause_s: float) -> bool:
        """Wait so long; whether the source was cancelled meanwhile."""
        until_s = self._monotonic() + pause_s
        while not self._options.cancelled():
            left_s = until_s - self._monotonic()
            if left_s <= 0:
                return False
            self._sleep(min(left_s, LOOK_S))
        return True

    def _frame(self, name: str, pts_s: float) -> Iterator[Frame]:
        """The picture's frame if it can be read and is kept."""
        path = self._folder / name
        try:
            if path.stat().st_size > MAX_BYTES:
                raise SourceCorrupt(f"{name} is too large")
            still = Still(path.read_bytes())
        except (SourceCorrupt, OSError):
            self._options.on_drop("corrupt")
            return
        index, self._index = self._index, self._index + 1
        if self._options.keep(pts_s):
            image = still.pixels(self._reformatter, self._options.size)
            yield Frame(self._name, index, pts_s, self._options.clock(), image)

    def _look(self) -> dict[str, Signature]:
        """The pictures in the folder."""
        try:
            with os.scandir(self._folder) as entries:
                return dict(_signed(entries))
        except OSError as error:
            raise self._explained(error) from error

    def _explained(self, error: OSError) -> StreamError:
        if isinstance(error, FileNotFoundError):
            return SourceNotFound(f"{self._shown}: there is no such folder; check the path")
        if isinstance(error, NotADirectoryError):
            return SourceNotFound(f"{self._shown} is no folder; write its path without dir:")
        return ConnectionFailed(
            f"{self._shown} cannot be looked into: {(error.strerror or str(error)).lower()}"
        )


def _signed(entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, Signature]]:
    for entry in entries:
        if entry.name.startswith(".") or Path(entry.name).suffix.lower() not in SUFFIXES:
            continue
        try:
            found = entry.stat()
        except FileNotFoundError:
            continue  # It went while we looked.
        if entry.is_file():
            yield entry.name, (found.st_mtime_ns, found.st_size)
