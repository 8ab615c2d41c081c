"""A camera in a hurry: a recording that plays as fast as it is taken, on a clock of its own, and is lost at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from livevlm.engine import EngineStream
from livevlm.intake import Intake
from streams import Frame, Mailbox, ReaderOptions, Source, SourceOptions, StreamReader, open_source
from streams.backoff import Backoff
from streams.source import Decode

EPOCH_S = 1_700_000_000.0
AWAY_S = 7.0
HOUR_S = 3600.0
AT_ONCE_S = 0.001
LOOK_S = 0.05


class SoakCamera:
    """One stream of a soak. Its clock is moved by its pictures, and by AWAY_S whenever it is lost; it stops at `end_s`.

    It waits for the mailbox to have room, except once an hour of its time, when it does not until so many pictures came that
    the mailbox could be filled with them twice: then some are let go.
    """

    def __init__(self, path: Path, *, name: str, end_s: float, capacity: int) -> None:
        self.now_s = 0.0
        self._path, self._name, self._end_s, self._capacity = path, name, end_s, capacity
        self._mailbox = Mailbox(capacity, "oldest")
        self._room = threading.Event()
        self._hurry_s = 0.0
        self._began_s = 0.0

    @property
    def over(self) -> bool:
        """Whether all its time has passed."""
        return self.now_s >= self._end_s

    def intake(
        self, *, size: tuple[int, int], fps: float, decode: Decode, wake: Callable[[], None]
    ) -> Intake:
        """Its reader, which is the real one."""
        self._hurry_s = 2 * self._capacity / fps
        options = ReaderOptions(
            fps=fps,
            source=SourceOptions(size=size, decode=decode, clock=lambda: EPOCH_S + self.now_s),
            backoff=Backoff(first_s=AT_ONCE_S, longest_s=AT_ONCE_S),
            knock_s=AT_ONCE_S,
            monotonic=lambda: self.now_s,
            opener=self._open,
            reachable=lambda address: True,
        )
        reader = StreamReader(
            str(self._path), name=self._name, mailbox=self._mailbox, options=options, wake=wake
        )
        stream = EngineStream(
            name=self._name,
            source=reader.source,
            take=self._take,
            status=reader.status,
            pending=self._mailbox.__len__,
        )
        return Intake(reader, self._mailbox, stream)

    def _open(self, url: str, *, name: str, options: SourceOptions) -> Source:
        self.now_s += AWAY_S
        self._began_s = self.now_s

        def keep(pts_s: float) -> bool:
            self.now_s = max(self.now_s, self._began_s + pts_s)
            self._wait(options.cancelled)
            return options.keep(pts_s)

        return _Camera(open_source(url, name=name, options=replace(options, keep=keep)))

    def _wait(self, cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            hurried = self.now_s % HOUR_S < self._hurry_s
            full = len(self._mailbox) >= self._capacity and not hurried
            if not (full or self.over):
                return
            self._room.wait(LOOK_S)
            self._room.clear()

    def _take(self, limit: int) -> list[Frame]:
        frames = self._mailbox.take(limit)
        self._room.set()
        return frames


class _Camera:
    """A recording that calls itself live: its end is a loss."""

    live = True

    def __init__(self, recording: Source) -> None:
        self._recording = recording

    def __enter__(self) -> Self:
        self._recording.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recording.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._recording)
