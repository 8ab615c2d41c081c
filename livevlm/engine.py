"""Engine: one unit of work at a time. A batch of frames into memories, or a token out of an answer.

`step` is plain synchronous code that one thread calls; `submit`, `cancel`, `errand`, `streams`, and what adds and removes a
stream may be called from any thread. A step carries out one errand, gives one token to one answer in progress, then takes
one batch of waiting frames, a chunk a stream, all in turn, and evaluates one watch: so a long answer never makes ingest drop
frames, no question waits for a queue of frames, and no token for more than one batch.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from livevlm.answer import Answering
from livevlm.backbone import Backbone
from livevlm.calls import Calls
from livevlm.engineoptions import EngineOptions
from livevlm.errands import Desk, Errands
from livevlm.errors import DeadlineExceeded, LiveVLMError, NoFramesYet, QueueFull, StreamNotFound
from livevlm.ingest import StreamIngest, add_together
from livevlm.messages import Done, Errand, Question, Sink, Status, StreamStatus
from livevlm.metrics import Metrics
from livevlm.preparing import Preparation
from livevlm.roster import EngineStream, Roster, Watched
from livevlm.watching.board import make_watches
from livevlm.watching.orders import MakeWatch, WatchOrder, WatchResult
from livevlm.watching.watches import Listener
from streams import Frame

__all__ = ["Engine", "EngineOptions", "EngineStream"]

logger = logging.getLogger(__name__)


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
        self._preparation = Preparation(
            backbone, self._layout.before_video, options, metrics.stage, clock, state
        )
        self._roster = Roster()
        for stream in streams:
            self._roster.add(self.prepare(stream))
        self._lock = threading.Lock()  # guards _waiting, _open and _cancelled; held for moments
        self._waiting: deque[_Asked] = deque()
        self._open: set[str] = set()
        self._cancelled: set[str] = set()
        self._active: deque[_Asked] = deque()
        desk = Desk(
            backbone=backbone,
            layout=self._layout,
            roster=self._roster,
            take_in=self._take_in,
            clock=clock,
        )
        self._errands = Errands(desk, options.max_waiting)
        self._calls = Calls()
        self._watches = make_watches(
            backbone, self._layout, options.watches, counts=metrics, state=state
        )

    # From any thread.

    def prepare(self, stream: EngineStream) -> Watched:
        """A stream with its memory: empty, or what the state directory holds of it. It is not watched yet: see `admit`.

        This may take its time, for files are read, and holds nobody up. Only the few tokens of the prompt go through the model,
        which that does not change. Raises ConfigError where the options fit no memory, or what is held cannot be used.
        """
        return self._preparation.watched(stream)

    def admit(self, watched: Watched) -> Future[None]:
        """Watch a prepared stream from now on. The future ends with StreamExists where one has its name."""
        return self._calls.put(lambda: self._roster.add(watched))

    def dismiss(self, name: str) -> Future[StreamIngest]:
        """Watch a stream no longer: its memory is the caller's, to close or to erase. Answers that were begun go on to their
        end; questions that wait fail (`stream_not_found`). The future ends with StreamNotFound where there is none.
        """
        return self._calls.put(lambda: self._dismiss(name))

    def submit(self, question: Question, sink: Sink) -> None:
        """Accept a question; its events go to the sink, on the model's thread, and the sink must not block.

        Raises StreamNotFound, QueueFull, and ValueError for an id that is in use.
        """
        self._roster.get(question.stream)
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
            self._roster.get(errand.stream)
        self._errands.put(errand, done)

    def watch(self, order: WatchOrder) -> Future[WatchResult]:
        """Have something done about watches. Raises StreamNotFound; the future ends with what `Watches.carry_out` raises."""
        if isinstance(order, MakeWatch):
            self._roster.get(order.request.stream)
        return self._calls.put(lambda: self._watches.carry_out(order))

    def listen(self, listener: Listener) -> None:
        """Tell this one too what watches find, on the model's thread; it must not block."""
        self._watches.listen(listener)

    def streams(self) -> list[StreamStatus]:
        """What is known of each stream now."""
        return [watched.status() for watched in self._roster]

    # On the model's thread.

    def step(self) -> bool:
        """One unit of work; False where there was none."""
        called = self._calls.run()
        ran = self._errands.run()
        begun = self._begin_next()
        spoke = self._speak()
        took = self._take_batch()
        looked = self._watches.step(self._roster.ingest, busy=bool(self._active))
        return called or ran or begun or spoke or took or looked

    def close(self) -> None:
        """End every open question as cancelled, and every errand."""
        self._calls.close()
        self._errands.close()
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for asked in [*self._active, *waiting]:
            self._end(asked, "cancelled")
        self._active.clear()
        for watched in self._roster:
            watched.ingest.close()

    def _dismiss(self, name: str) -> StreamIngest:
        gone = self._roster.remove(name)
        with self._lock:
            ended = [asked for asked in self._waiting if asked.question.stream == name]
            self._waiting = deque(a for a in self._waiting if a.question.stream != name)
        for asked in ended:
            self._end(asked, "failed", StreamNotFound(f"the stream {name} was removed"))
        return gone.ingest

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
        try:
            watched = self._roster.get(stream)
            # "Now" is now: what has arrived is taken in before the answer, but never more than one chunk.
            self._take_chunk(watched)
            ingest = watched.ingest
            if self._is_cancelled(asked):
                self._end(asked, "cancelled")
                return True
            if ingest.as_of is None:
                raise NoFramesYet(
                    f"the stream {stream} has shown nothing yet; {watched.condition()}"
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

    def _take_batch(self) -> bool:
        """A chunk of the stream whose turn it is, and of those after it as far as they fit; the next batch goes on there."""
        chunks: list[tuple[Watched, list[Frame]]] = []
        chunk, room = self._options.chunk_frames, self._options.batch_frames
        for watched in self._roster.turns():
            if chunks:
                # A chunk is not cut for want of room: whoever came behind would always get the smaller part.
                count = min(chunk, watched.stream.pending())
                if count > room:
                    break
                frames = watched.stream.take(count)
            else:
                frames = watched.stream.take(chunk)
            if frames:
                chunks.append((watched, frames))
                room -= len(frames)
            if room <= 0:
                break
        if chunks:
            self._roster.had_its_turn(chunks[-1][0].stream.name)
            self._ingest(chunks)
        return bool(chunks)

    def _take_chunk(self, watched: Watched) -> bool:
        frames = watched.stream.take(self._options.chunk_frames)
        if frames:
            self._ingest([(watched, frames)])
        return bool(frames)

    def _ingest(self, chunks: Sequence[tuple[Watched, list[Frame]]]) -> None:
        add_together([(watched.ingest, frames) for watched, frames in chunks])
        for watched, frames in chunks:
            self._metrics.frame_encoded(watched.stream.name, len(frames))
            watched.look()
            self._watches.saw(watched.stream.name)

    def _take_in(self, watched: Watched, everything: bool) -> None:
        """Ingest one waiting chunk of a stream, or all frames that wait now; not those that come meanwhile."""
        count = watched.stream.pending() if everything else 1
        while count > 0 and self._take_chunk(watched):
            count -= self._options.chunk_frames
