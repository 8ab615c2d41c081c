"""Turns: a line in which nobody waits behind all questions of another, neither of another asker nor of another stream.

Every other turn goes by askers: the asker who has waited longest for a turn is given one, for their oldest question. The turns
between go by streams: the stream that has waited longest, and of its questions that of the asker who has. Who comes new to the
line stands last among askers or streams; who was given a turn, of either kind, stands last again. So with a askers and s
streams in line, an asker's first question begins among the next 2a turns, the first one about a stream among the next 2s, and
nobody who comes later can put it off.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
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
        # When each of those in line had a turn or came, in numbers that only grow.
        self._askers: dict[str, int] = {}
        self._streams: dict[str, int] = {}
        self._now = 0
        self._by_stream = False

    def __len__(self) -> int:
        return len(self._line)

    def add(self, item: T, *, asker: str, stream: str) -> None:
        """One more in the line."""
        self._line.append(_Place(item, asker, stream))
        self._now += 1
        self._askers.setdefault(asker, self._now)
        self._streams.setdefault(stream, self._now)

    def take(self, count: int = 1) -> list[T]:
        """Those whose turns are next, as many as there are; they leave the line."""
        taken = [*islice(self._ahead(), count)]
        for one in taken:
            self._now += 1
            self._askers[one.asker] = self._streams[one.stream] = self._now
            self._by_stream = not self._by_stream
        self._leave(taken)
        return [one.item for one in taken]

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Let those leave the line that are not wanted any more; which they were."""
        gone = [one for one in self._line if unwanted(one.item)]
        self._leave(gone)
        return [one.item for one in gone]

    def order(self) -> list[T]:
        """All in the order in which they would be taken if nobody came or left."""
        return [one.item for one in self._ahead()]

    def _leave(self, gone: list[_Place[T]]) -> None:
        """Who has nothing in line any more comes as new the next time."""
        if not gone:
            return
        left = set(gone)
        self._line = [one for one in self._line if one not in left]
        askers, streams = {one.asker for one in self._line}, {one.stream for one in self._line}
        self._askers = {name: at for name, at in self._askers.items() if name in askers}
        self._streams = {name: at for name, at in self._streams.items() if name in streams}

    def _ahead(self) -> Iterator[_Place[T]]:
        """The turns to come, each for the price of a look at a heap: a thousand may wait."""
        lines = defaultdict[tuple[str | None, str | None], deque[_Place[T]]](deque)
        for one in self._line:
            for key in ((one.asker, None), (None, one.stream), (one.asker, one.stream)):
                lines[key].append(one)
        gone = set[_Place[T]]()

        def first(asker: str | None, stream: str | None) -> _Place[T] | None:
            line = lines[asker, stream]
            while line and line[0] in gone:
                line.popleft()
            return line[0] if line else None

        last_asker, last_stream = dict(self._askers), dict(self._streams)
        askers, streams = _Longest(last_asker, last_asker), _Longest(last_stream, last_stream)
        about = defaultdict[str, set[str]](set)
        for one in self._line:
            about[one.stream].add(one.asker)
        askers_about = {stream: _Longest(those, last_asker) for stream, those in about.items()}
        now, by_stream = self._now, self._by_stream
        for _ in self._line:
            if by_stream:
                stream = streams.first(lambda stream: first(None, stream)).stream
                taken = askers_about[stream].first(partial(first, stream=stream))
            else:
                taken = askers.first(partial(first, stream=None))
            yield taken
            gone.add(taken)
            now += 1
            last_asker[taken.asker] = last_stream[taken.stream] = now
            by_stream = not by_stream


class _Longest:
    """Names, of which the one comes first that has waited longest. `last` says when each had its turn, and only grows."""

    def __init__(self, names: Iterable[str], last: Mapping[str, int]) -> None:
        self._last = last
        self._heap = [(last[name], name) for name in names]
        heapq.heapify(self._heap)

    def first(self, waits: Callable[[str], T | None]) -> T:
        """What waits of the first name of which anything does; there must be one."""
        while True:
            at, name = self._heap[0]
            found = waits(name)
            if found is None:
                heapq.heappop(self._heap)
            elif at != self._last[name]:
                heapq.heapreplace(self._heap, (self._last[name], name))
            else:
                return found
