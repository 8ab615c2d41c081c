"""Roster: the streams that are watched, each with its memory, and whose turn it is.

The model's thread alone changes it; any thread may look, for what others read is replaced whole, never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from livevlm.errors import StreamExists, StreamNotFound
from livevlm.ingest import StreamIngest
from livevlm.messages import AsOf, StreamStatus
from memory import MemoryStats
from streams import Edition, Frame, Place, ReaderStatus


@dataclass(frozen=True, slots=True)
class Film:
    """What more a recording can do than a camera. edition: which one it is now, if there is one. go_on: begin behind a place,
    and whether there is nothing behind it; before it is read. finished: whether all of it was read.
    """

    edition: Callable[[], Edition | None]
    go_on: Callable[[Place, bool], None]
    finished: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class EngineStream:
    """A stream as the engine sees it: where frames are taken from, at most so many at a time, and how its reader is doing.

    film: of a recording that is to be watched once.
    """

    name: str
    source: str
    take: Callable[[int], list[Frame]]
    status: Callable[[], ReaderStatus]
    pending: Callable[[], int]
    film: Film | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was known of a memory when it last changed."""

    as_of: AsOf | None
    stats: MemoryStats
    frames_encoded: int


class Watched:
    """A stream and what is remembered of it."""

    def __init__(self, stream: EngineStream, ingest: StreamIngest) -> None:
        self.stream, self.ingest = stream, ingest
        self._finished = False
        self.look()

    def look(self) -> None:
        """Note how the memory is now. On the thread that owns the memory."""
        ingest = self.ingest
        self._snapshot = Snapshot(ingest.as_of, ingest.memory.stats(), ingest.frames_encoded)

    def note_end(self) -> None:
        """Note that a recording was watched to its end, once that is so. On the thread that takes the frames."""
        film = self.stream.film
        if film is None or self._finished or not film.finished() or self.stream.pending():
            return
        self._finished = True
        self.ingest.finish()

    def status(self) -> StreamStatus:
        """What is known of the stream now; from any thread."""
        return _status(self.stream, self._snapshot)

    def condition(self) -> str:
        """How a stream without frames is doing, in words."""
        status = self.stream.status()
        return status.error or f"it is {status.state}"


class Roster:
    """Streams by name, in the order of their coming."""

    def __init__(self) -> None:
        self._watched = MappingProxyType[str, Watched]({})
        self._turns: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Watched]:
        return iter(self._watched.values())

    def get(self, name: str) -> Watched:
        """The stream of that name. Raises StreamNotFound, which names those that there are."""
        watched = self._watched
        if name not in watched:
            known = ", ".join(sorted(watched)) or "none"
            raise StreamNotFound(f"no stream is called {name!r}; there are: {known}")
        return watched[name]

    def ingest(self, name: str) -> StreamIngest:
        """The write path of the stream of that name. Raises StreamNotFound."""
        return self.get(name).ingest

    def add(self, new: Watched) -> None:
        """One more, whose turn comes last. Raises StreamExists."""
        name = new.stream.name
        if name in self._watched:
            raise StreamExists(
                f"a stream is called {name!r} already; remove it, or take another name"
            )
        self._watched = MappingProxyType({**self._watched, name: new})
        self._turns = (*self._turns, name)

    def remove(self, name: str) -> Watched:
        """Watch it no longer. Raises StreamNotFound."""
        gone = self.get(name)
        self._watched = MappingProxyType(
            {other: one for other, one in self._watched.items() if other != name}
        )
        self._turns = tuple(other for other in self._turns if other != name)
        return gone

    def turns(self) -> Iterator[Watched]:
        """Each stream once, the one whose turn it is first; `had_its_turn` says that one was served."""
        return (self._watched[name] for name in self._turns)

    def had_its_turn(self, name: str) -> None:
        """It and all that stood before it are last now."""
        end = self._turns.index(name) + 1
        self._turns = self._turns[end:] + self._turns[:end]


def _status(stream: EngineStream, known: Snapshot) -> StreamStatus:
    from_reader = stream.status()
    as_of, stats, tokens = known.as_of, known.stats, known.stats.tokens
    return StreamStatus(
        name=stream.name,
        source=stream.source,
        live=from_reader.live,
        state=from_reader.state,
        error_code=from_reader.error_code,
        error=from_reader.error,
        frames_received=from_reader.received,
        frames_encoded=known.frames_encoded,
        frames_dropped=dict(from_reader.dropped),
        reconnects=from_reader.reconnects,
        queue_frames=stream.pending(),
        last_frame_utc=from_reader.last_frame_utc,
        as_of=as_of,
        memory_tokens={
            "prompt": tokens.prompt,
            "short": tokens.short,
            "long": tokens.long,
            "archive": tokens.archive,
        },
        memory_bytes=stats.device_bytes + stats.host_bytes,
        memory_from_s=stats.from_s,
        since_utc=from_reader.since_utc,
        next_try_s=from_reader.next_try_s,
        frames_unsampled=from_reader.unsampled,
        # Those that were taken and are not in memory yet wait, too.
        frames_waiting=from_reader.waiting + from_reader.taken - known.frames_encoded,
        drift_s=from_reader.drift.ahead_s,
        drift_s_per_hour=from_reader.drift.per_hour_s,
    )
