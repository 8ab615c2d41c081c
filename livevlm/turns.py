"""Turns: a line in which nobody waits behind all questions of another, neither of another asker nor of another stream.

Every other turn goes by askers: the asker who has waited longest for a turn is given one, for their oldest question. The turns
between go by streams: the stream that has waited longest, and of its questions that of the asker who has. Who comes new to the
line stands last among askers or streams; who was given a turn, of either kind, stands last again. So with a askers and s
streams in line, an asker's first question begins among the next 2a turns, the first one about a stream among the next 2s, and
nobody who comes later can put it off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Place(Generic[T]):
    """One in the line."""

    item: T
    asker: str
    stream: str


class Turns(Generic[T]):
    """What waits, and in which order its turns come. No thread is known here."""

    def __init__(self) -> None:
        self._line: list[_Place[T]] = []  # in the order of their coming
        self._askers: list[str] = []  # of those in line, who waits longest first
        self._streams: list[str] = []
        self._by_stream = False

    def __len__(self) -> int:
        return len(self._line)

    def add(self, item: T, *, asker: str, stream: str) -> None:
        """One more in the line."""
        self._line.append(_Place(item, asker, stream))
        if asker not in self._askers:
            self._askers.append(asker)
        if stream not in self._streams:
            self._streams.append(stream)

    def take(self) -> T:
        """The one whose turn it is; it leaves the line, which must not be empty."""
        if self._by_stream:
            about = [one for one in self._line if one.stream == self._streams[0]]
            taken = min(about, key=lambda one: self._askers.index(one.asker))
        else:
            taken = next(one for one in self._line if one.asker == self._askers[0])
        self._by_stream = not self._by_stream
        for waiting, served in ((self._askers, taken.asker), (self._streams, taken.stream)):
            waiting.remove(served)
            waiting.append(served)
        self._line.remove(taken)
        self._let_go([taken])
        return taken.item

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Let those leave the line that are not wanted any more; which they were."""
        gone = [one for one in self._line if unwanted(one.item)]
        for one in gone:
            self._line.remove(one)
        self._let_go(gone)
        return [one.item for one in gone]

    def order(self) -> list[T]:
        """All in the order in which they would be taken if nobody came or left."""
        ahead = Turns[T]()
        ahead._line, ahead._by_stream = self._line[:], self._by_stream
        ahead._askers, ahead._streams = self._askers[:], self._streams[:]
        return [ahead.take() for _ in self._line]

    def _let_go(self, gone: list[_Place[T]]) -> None:
        """Who has nothing in line any more comes as new the next time."""
        for asker in {one.asker for one in gone}:
            if not any(one.asker == asker for one in self._line):
                self._askers.remove(asker)
        for stream in {one.stream for one in gone}:
            if not any(one.stream == stream for one in self._line):
                self._streams.remove(stream)
