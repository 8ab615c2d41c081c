"""Engine: one unit of work at a time. A batch of frames into memories, and a token out of every answer.

`step` is plain synchronous code that one thread calls; `submit`, `cancel`, `errand`, `streams`, and what adds and removes a
stream may be called from any thread. A step carries out one errand, begins a few waiting questions, gives one token to each
answer in progress, then takes one batch of waiting frames, a chunk a stream, all in turn, and evaluates one watch: so however
many ask, ingest goes on in every step, no question waits for a queue of frames, and no token for more than one batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from livevlm.answers import Answers
from livevlm.backbone import Backbone
from livevlm.calls import Calls
from livevlm.engineoptions import EngineOptions
from livevlm.errands import Desk, Errands
from livevlm.ingest import StreamIngest, add_together
from livevlm.messages import Done, Errand, Question, Sink, StreamStatus
from livevlm.metrics import Metrics
from livevlm.preparing import Preparation
from livevlm.roster import EngineStream, Roster, Watched
from livevlm.watching.board import make_watches
from livevlm.watching.orders import MakeWatch, WatchOrder, WatchResult
from livevlm.watching.watches import Listener
from streams import Frame

__all__ = ["Engine", "EngineOptions", "EngineStream"]


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
        self._options, self._metrics = options, metrics
        layout = backbone.codec.layout(options.system_prompt)
        self._preparation = Preparation(
            backbone, layout.before_video, options, metrics.stage, clock, state
        )
        self._roster = Roster()
        for stream in streams:
            self._roster.add(self.prepare(stream))
        desk = Desk(
            backbone=backbone,
            layout=layout,
            roster=self._roster,
            take_in=self._take_in,
            clock=clock,
        )
        self._errands = Errands(desk, options.max_waiting)
        self._answers = Answers(desk, options, metrics)
        self._calls = Calls()
        self._watches = make_watches(backbone, layout, options.watches, counts=metrics, state=state)

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
        self._answers.submit(question, sink)

    def cancel(self, question_id: str) -> bool:
        """Stop an answer at its next token; False where no such question is open."""
        return self._answers.cancel(question_id)

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
        begun = self._answers.begin()
        spoke = self._answers.speak()
        took = self._take_batch()
        self._note_ends()
        looked = self._watches.step(self._roster.ingest, busy=self._answers.decoding)
        return called or ran or begun or spoke or took or looked or self._tidy()

    def _tidy(self) -> bool:
        """A bit of what some stream's next question would otherwise wait for: while nobody waits."""
        return any(watched.ingest.tidy() for watched in self._roster)

    def close(self) -> None:
        """End every open question as cancelled, and every errand."""
        self._calls.close()
        self._errands.close()
        self._answers.close()
        self._note_ends()
        for watched in self._roster:
            watched.ingest.close()

    def _note_ends(self) -> None:
        for watched in self._roster:
            watched.note_end()

    def _dismiss(self, name: str) -> StreamIngest:
        gone = self._roster.remove(name)
        self._answers.dismiss(name)
        return gone.ingest

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
