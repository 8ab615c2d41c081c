"""Engine: one unit of work at a time. A chunk of frames into a memory, or a token out of an answer.

`step` is plain synchronous code that one thread calls; `submit`, `cancel`, `errand` and `streams` may be called from any
thread. A step carries out one errand, gives one token to one answer in progress, then takes one waiting chunk of one stream,
all in turn: so a long answer never makes ingest drop frames, and no question waits for a queue of frames.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from livevlm.answer import Answering
from livevlm.backbone import Backbone
from livevlm.errands import Desk, Errands
from livevlm.errors import DeadlineExceeded, LiveVLMError, NoFramesYet, QueueFull, StreamNotFound
from livevlm.ingest import StreamIngest
from livevlm.keeper import restored
from livevlm.messages import AsOf, Done, Errand, Question, Sink, Status, StreamStatus
from livevlm.metrics import Metrics
from livevlm.persistence import stream_folder
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.timestamps import Timestamps
from livevlm.vision import FrameEncoder
from memory import MemoryStats
from streams import Frame, ReaderStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineStream:
    """A stream as the engine sees it: where frames are taken from, at most so many at a time, and how its reader is doing."""

    name: str
    source: str
    take: Callable[[int], list[Frame]]
    status: Callable[[], ReaderStatus]
    pending: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """chunk_frames: most frames run through the model at once. tokens_per_frame: 0 is the model's own. similarity: 0 keeps
    every token.

    system_prompt: empty is the model's own. max_waiting: most questions accepted and not yet
    answered. max_active: most answers decoded in turn; each holds a working copy of what it recalled.
    """

    chunk_frames: int = 4
    tokens_per_frame: int = 0
    similarity: float = 0.0
    system_prompt: str = ""
    max_waiting: int = 64
    max_active: int = 8
    memory: MemoryRecipe = field(default_factory=MemoryRecipe)


@dataclass(slots=True)
class _Asked:
    """A question and whom to tell; `answering` once its turn came."""

    question: Question
    sink: Sink
    at: float
    answering: Answering


class Engine:
    """Watches some streams, remembers them, and answers questions about them."""

    def __init__(
        self,
        backbone: Backbone,
        *,
        streams: Sequence[EngineStream],
        options: EngineOptions,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        state: Path | None = None,
    ) -> None:
        """clock: monotonic seconds. state: the folder in which memories outlive the engine, which nobody else may use.

        Raises ConfigError where the options fit no memory, or the folder's memories cannot be used.
        """
        self._backbone, self._options, self._metrics, self._clock = (
            backbone,
            options,
            metrics,
            clock,
        )
        self._layout = backbone.codec.layout(options.system_prompt)
        self._streams = {stream.name: stream for stream in streams}
        self._state = state
        self._ingests = {name: self._ingest(name) for name in self._streams}
        self._turns = deque(self._streams)
        self._lock = (
            threading.Lock()
        )  # guards _waiting, _open, _cancelled and _snapshots; held for moments only
        self._waiting: deque[_Asked] = deque()
        self._open: set[str] = set()
        self._cancelled: set[str] = set()
        self._snapshots = {
            name: (ingest.as_of, ingest.memory.stats(), 0) for name, ingest in self._ingests.items()
        }
        self._active: deque[_Asked] = deque()
        desk = Desk(
            backbone=backbone,
            layout=self._layout,
            ingests=self._ingests,
            take_in=self._take_in,
            changed=self._look_at,
            clock=clock,
        )
        self._errands = Errands(desk, options.max_waiting)

    def _ingest(self, name: str) -> StreamIngest:
        options = self._options
        folder = None if self._state is None else stream_folder(self._state, name)
        reducer = make_reducer(
            self._backbone.own_grid, tokens=options.tokens_per_frame, similarity=options.similarity
        )
        memory = options.memory.build(
            self._backbone,
            prompt=self._layout.before_video,
            frame_tokens=reducer.most,
            chunk_frames=options.chunk_frames,
            folder=None if folder is None else folder / "archive",
        )
        keeper = None if folder is None else restored(name, folder / "memory", memory, self._clock)
        newest = memory.newest()
        backbone = self._backbone
        stamped = options.memory.timestamps
        return StreamIngest(
            backbone,
            memory,
            FrameEncoder(backbone, reducer, 0 if newest is None else newest.frame + 1),
            score_queries=options.memory.score_queries,
            stage=self._metrics.stage,
            timestamps=Timestamps(backbone.codec, backbone.embed) if stamped else None,
            keeper=keeper,
        )

    # From any thread.

    def submit(self, question: Question, sink: Sink) -> None:
        """Accept a question; its events go to the sink, on the model's thread, and the sink must not block.

        Raises StreamNotFound, QueueFull, and ValueError for an id that is in use.
        """
        self._check_known(question.stream)
        now = self._clock()
        asked = _Asked(
            question,
            sink,
            now,
            Answering(self._backbone, question, self._layout, asked=now, clock=self._clock),
        )
        with self._lock:
            if question.id in self._open:
                raise ValueError(f"a question with the id {question.id!r} is open already")
            if len(self._open) >= self._options.max_waiting:
                raise QueueFull(f"{len(self._open)} questions wait already; ask again in a moment")
            self._open.add(question.id)
            self._waiting.append(asked)
        self._metrics.question_started()

    def cancel(self, question_id: str) -> bool:
        """Stop an answer at its next token; False where no such question is open."""
        with self._lock:
            known = question_id in self._open
            if known:
                self._cancelled.add(question_id)
        return known

    def errand(self, errand: Errand, done: Done) -> None:
        """Accept an errand; its result, or why there is none, goes to `done` on the model's thread, and `done` must not block.

        Raises StreamNotFound and QueueFull.
        """
        if errand.stream is not None:
            self._check_known(errand.stream)
        self._errands.put(errand, done)

    def _check_known(self, name: str) -> None:
        if name not in self._streams:
            known = ", ".join(sorted(self._streams)) or "none"
            raise StreamNotFound(f"no stream is called {name!r}; there are: {known}")

    def streams(self) -> list[StreamStatus]:
        """What is known of each stream now."""
        with self._lock:
            snapshots = dict(self._snapshots)
        return [_status(stream, *snapshots[name]) for name, stream in self._streams.items()]

    # On the model's thread.

    def step(self) -> bool:
        """One unit of work; False where there was none."""
        ran = self._errands.run()
        begun = self._begin_next()
        spoke = self._speak()
        took = self._take_chunk()
        return ran or begun or spoke or took

    def close(self) -> None:
        """End every open question as cancelled, and every errand."""
        self._errands.close()
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for asked in [*self._active, *waiting]:
            self._end(asked, "cancelled")
        self._active.clear()
        for ingest in self._ingests.values():
            ingest.close()

    def _begin_next(self) -> bool:
        """Give the longest waiting question its turn, if there is room for another working copy of a recall."""
        if len(self._active) >= self._options.max_active:
            return False
        with self._lock:
            asked = self._waiting.popleft() if self._waiting else None
        if asked is None:
            return False
        turn = self._clock()
        stream = asked.question.stream
        ingest = self._ingests[stream]
        # "Now" is now: what has arrived is taken in before the answer, but never more than one chunk.
        self._ingest_chunk(stream)
        try:
            if self._is_cancelled(asked):
                self._end(asked, "cancelled")
                return True
            if ingest.as_of is None:
                raise NoFramesYet(
                    f"the stream {stream} has shown nothing yet; {_condition(self._streams[stream])}"
                )
            recalled = asked.answering.begin(
                ingest.memory,
                ingest.as_of,
                flushed=turn,
                retrieved=lambda seconds: self._metrics.stage("retrieve", seconds),
            )
        except LiveVLMError as error:
            self._end(asked, "failed", error)
            return True
        asked.sink(recalled)
        self._active.append(asked)
        return True

    def _speak(self) -> bool:
        """One token of the answer whose turn it is."""
        if not self._active:
            return False
        asked = self._active.popleft()
        answering = asked.answering
        if self._is_cancelled(asked):
            self._end(asked, "cancelled")
        elif answering.expired():
            limit = asked.question.deadline_s
            self._end(
                asked,
                "incomplete",
                DeadlineExceeded(f"the answer was not complete within {limit:g} s"),
            )
        else:
            began = self._clock()
            chunk = answering.advance()
            self._metrics.stage("decode", self._clock() - began)
            if chunk is not None:
                asked.sink(chunk)
            if answering.over is not None:
                self._end(asked, answering.over)
            else:
                self._active.append(asked)
        return True

    def _is_cancelled(self, asked: _Asked) -> bool:
        with self._lock:
            return asked.question.id in self._cancelled

    def _end(self, asked: _Asked, status: Status, error: LiveVLMError | None = None) -> None:
        answer = asked.answering.finish(status, error)
        with self._lock:
            self._open.discard(asked.question.id)
            self._cancelled.discard(asked.question.id)
        self._metrics.answer_done(status, answer.timings, answer.answer_tokens)
        asked.sink(answer)

    def _take_chunk(self) -> bool:
        """One chunk of the next stream that has one waiting."""
        for _ in range(len(self._turns)):
            name = self._turns[0]
            self._turns.rotate(-1)
            if self._ingest_chunk(name):
                return True
        return False

    def _ingest_chunk(self, name: str) -> bool:
        frames = self._streams[name].take(self._options.chunk_frames)
        if not frames:
            return False
        self._ingests[name].add(frames)
        self._metrics.frame_encoded(name, len(frames))
        self._look_at(name)
        return True

    def _take_in(self, name: str, everything: bool) -> None:
        """Ingest one waiting chunk of a stream, or all frames that wait now; not those that come meanwhile."""
        count = self._streams[name].pending() if everything else 1
        while count > 0 and self._ingest_chunk(name):
            count -= self._options.chunk_frames

    def _look_at(self, name: str) -> None:
        ingest = self._ingests[name]
        with self._lock:
            self._snapshots[name] = (ingest.as_of, ingest.memory.stats(), ingest.frames_encoded)


def _condition(stream: EngineStream) -> str:
    """How a stream without frames is doing, in words."""
    status = stream.status()
    return status.error or f"it is {status.state}"


def _status(
    stream: EngineStream, as_of: AsOf | None, stats: MemoryStats, encoded: int
) -> StreamStatus:
    from_reader = stream.status()
    tokens = stats.tokens
    return StreamStatus(
        name=stream.name,
        source=stream.source,
        live=from_reader.live,
        state=from_reader.state,
        error_code=from_reader.error_code,
        error=from_reader.error,
        frames_received=from_reader.received,
        frames_encoded=encoded,
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
    )
