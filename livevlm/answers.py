"""Answers: the questions that are open. Some wait for their turn; the others' answers are decoded together, a token a step.

What a step does about them is bounded, so that frames are never kept waiting for long: it begins `most_begun` questions at
most, and walks the model once for one more token of every answer that was begun. Who begins next is a matter of `Turns`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from livevlm.answer import Answering, advance_together, begin_together
from livevlm.engineoptions import EngineOptions
from livevlm.errands import Desk
from livevlm.errors import DeadlineExceeded, LiveVLMError, NoFramesYet, QueueFull, StreamNotFound
from livevlm.messages import AsOf, Question, Queued, Sink, Status
from livevlm.metrics import Metrics
from livevlm.turns import Turns
from memory import StreamMemory

FINE = 16  # a change of position by less than a sixteenth of it is not told


@dataclass(slots=True, eq=False)
class _Asked:
    """A question and whom to tell; `position` as they were told last."""

    question: Question
    sink: Sink
    answering: Answering
    position: int = 0


class Answers:
    """`submit` and `cancel` may be called from any thread, the rest on the model's."""

    def __init__(self, desk: Desk, options: EngineOptions, metrics: Metrics) -> None:
        self._desk, self._options, self._metrics = desk, options, metrics
        self._lock = threading.Lock()  # guards the next four; held for moments
        self._waiting = Turns[_Asked]()
        self._moved = False  # whether positions may be others than those that were told
        self._open: set[str] = set()
        self._cancelled: set[str] = set()
        self._active: list[_Asked] = []

    @property
    def decoding(self) -> bool:
        """Whether an answer has been begun and not ended."""
        return bool(self._active)

    def submit(self, question: Question, sink: Sink) -> None:
        """Accept a question about a stream that there is. Raises QueueFull, and ValueError for an id that is in use."""
        desk = self._desk
        answering = Answering(
            desk.backbone, question, desk.layout, asked=desk.clock(), clock=desk.clock
        )
        with self._lock:
            if question.id in self._open:
                raise ValueError(f"a question with the id {question.id!r} is open already")
            if len(self._open) >= self._options.max_waiting:
                raise QueueFull(f"{len(self._open)} questions wait already; ask again in a moment")
            self._open.add(question.id)
            self._waiting.add(
                _Asked(question, sink, answering), asker=question.asker, stream=question.stream
            )
            self._moved = True
        self._metrics.question_started()

    def cancel(self, question_id: str) -> bool:
        """Stop an answer at its next token; False where no such question is open."""
        with self._lock:
            known = question_id in self._open
            if known:
                self._cancelled.add(question_id)
        return known

    def dismiss(self, stream: str) -> None:
        """The stream is gone: what waits to ask about it fails (`stream_not_found`); answers that were begun go on."""
        error = StreamNotFound(f"the stream {stream} was removed")
        for asked in self._drop(lambda asked: asked.question.stream == stream):
            self._end(asked, "failed", error)

    def close(self) -> None:
        """End every open question as cancelled."""
        for asked in [*self._active, *self._drop(lambda _asked: True)]:
            self._end(asked, "cancelled")
        self._active = []

    def begin(self) -> bool:
        """Begin the questions whose turn it is, as far as there is room for working copies of recalls; False where none was."""
        swept = self._sweep()
        room = self._options.max_active - len(self._active)
        with self._lock:
            count = min(room, self._options.most_begun, len(self._waiting))
            begun = self._waiting.take(count)
            self._moved = self._moved or bool(begun)
        self._begin(begun)
        self._tell_positions()
        return swept or bool(begun)

    def _begin(self, chosen: Sequence[_Asked]) -> None:
        turn = self._desk.clock()
        fresh = set[str]()
        ready = [(one, sight) for one in chosen if (sight := self._sight(one, fresh)) is not None]
        if not ready:
            return
        begun = begin_together(
            [(asked.answering, *sight) for asked, sight in ready],
            flushed=turn,
            retrieved=lambda seconds: self._metrics.stage("retrieve", seconds),
        )
        for (asked, _), recalled in zip(ready, begun, strict=True):
            if isinstance(recalled, LiveVLMError):
                self._end(asked, "failed", recalled)
            else:
                asked.sink(recalled)
                self._active.append(asked)

    def speak(self) -> bool:
        """One more token of every answer that was begun; False where none was."""
        if not self._active:
            return False
        going = [asked for asked in self._active if not self._stopped(asked)]
        began = self._desk.clock()
        said = advance_together([asked.answering for asked in going])
        if going:
            self._metrics.stage("decode", self._desk.clock() - began)
        self._active = []
        for asked, chunk in zip(going, said, strict=True):
            if isinstance(chunk, LiveVLMError):
                self._end(asked, "failed", chunk)
                continue
            if chunk is not None:
                asked.sink(chunk)
            if asked.answering.over is not None:
                self._end(asked, asked.answering.over)
            else:
                self._active.append(asked)
        self._metrics.answers_in_batch(len(self._active))
        return True

    def _sight(self, asked: _Asked, fresh: set[str]) -> tuple[StreamMemory, AsOf] | None:
        """What a question is put to; None where there is nothing: then it is ended here. fresh: streams that were looked at."""
        stream = asked.question.stream
        try:
            watched = self._desk.roster.get(stream)
            if stream not in fresh:
                # "Now" is now: what has arrived is taken in before the answer, but never more than one chunk of a stream.
                fresh.add(stream)
                self._desk.take_in(watched, False)
            ingest = watched.ingest
            if ingest.as_of is None:
                raise NoFramesYet(
                    f"the stream {stream} has shown nothing yet; {watched.condition()}"
                )
        except LiveVLMError as error:
            self._end(asked, "failed", error)
            return None
        return ingest.memory, ingest.as_of

    def _sweep(self) -> bool:
        """Those that nobody waits for any more need no turn to be ended."""
        with self._lock:
            cancelled = frozenset(self._cancelled)
        gone = self._drop(lambda one: one.question.id in cancelled or one.answering.expired())
        for asked in gone:
            self._stopped(asked)
        return bool(gone)

    def _drop(self, unwanted: Callable[[_Asked], bool]) -> list[_Asked]:
        with self._lock:
            gone = self._waiting.drop(unwanted)
            self._moved = self._moved or bool(gone)
        return gone

    def _stopped(self, asked: _Asked) -> bool:
        """Whether the asker has cancelled it, or its deadline has passed: then it is ended here."""
        with self._lock:
            cancelled = asked.question.id in self._cancelled
        if cancelled:
            self._end(asked, "cancelled")
        elif asked.answering.expired():
            limit = asked.question.deadline_s
            self._end(
                asked,
                "incomplete",
                DeadlineExceeded(f"the answer was not complete within {limit:g} s"),
            )
        else:
            return False
        return True

    def _tell_positions(self) -> None:
        with self._lock:
            waiting = self._waiting.order() if self._moved else []
            self._moved = False
        for position, asked in enumerate(waiting, 1):
            # Of a thousand who wait each would else be told of every question that begins.
            if abs(position - asked.position) * FINE >= position:
                asked.position = position
                asked.sink(Queued(question_id=asked.question.id, position=position))

    def _end(self, asked: _Asked, status: Status, error: LiveVLMError | None = None) -> None:
        answer = asked.answering.finish(status, error)
        with self._lock:
            self._open.discard(asked.question.id)
            self._cancelled.discard(asked.question.id)
        self._metrics.answer_done(status, answer.timings, answer.answer_tokens)
        asked.sink(answer)
