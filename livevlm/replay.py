"""Replay: a recording watched and asked about in one thread, so that the same recording and questions give the same answers.

Frames come in order and none is dropped; each question is answered from exactly what was seen up to its time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from livevlm.engine import Engine, EngineStream
from livevlm.messages import Answer, AnswerEvent, Question
from livevlm.timed import STREAM, TimedQuestion
from streams import Frame, ReaderStatus

# What replaying is about is had here; the questions alone, without the engine, from `livevlm.timed`.
__all__ = ["STREAM", "Feed", "Pace", "TimedQuestion", "replay", "stream_of", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a recording runs: `speed` times real time, or "max". The clock is there to be replaced in tests."""

    speed: float | Literal["max"] = "max"
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Feed:
    """Hands the engine a source's frames, in order, up to a moment of stream time. UTC is `start_utc` plus stream time."""

    def __init__(
        self, frames: Iterable[Frame], *, start_utc: float = 0.0, pace: Pace | None = None
    ) -> None:
        self._frames = iter(frames)
        self._start_utc = start_utc
        self._pace = pace or Pace()
        self._began_s = self._pace.monotonic()
        self._until_s = -math.inf
        self._next: Frame | None = None
        self._last: Frame | None = None
        self._given = 0
        self._ended = False

    def allow(self, until_s: float) -> None:
        """Hand out frames up to this stream time, inclusive; it never goes back."""
        self._until_s = max(self._until_s, until_s)

    def take(self, limit: int) -> list[Frame]:
        """The next frames, at most `limit` of those that are allowed."""
        taken: list[Frame] = []
        while len(taken) < limit and (frame := self._peek()) is not None:
            self._wait_for(frame)
            taken.append(replace(frame, captured_utc=self._start_utc + frame.pts_s))
            self._last, self._next = taken[-1], None
        self._given += len(taken)
        return taken

    def pending(self) -> int:
        """1 while a frame may be taken, else 0."""
        return int(self._peek() is not None)

    def status(self) -> ReaderStatus:
        """As a reader's: ended once the source has no more frames."""
        return ReaderStatus(
            state="ended" if self._ended else "live",
            error_code=None,
            error=None,
            received=self._given,
            sampled=self._given,
            taken=self._given,
            dropped={},
            reconnects=0,
            last_frame_utc=None if self._last is None else self._last.captured_utc,
            live=False,
        )

    def _peek(self) -> Frame | None:
        """The next frame if it is allowed."""
        if self._next is None and not self._ended:
            self._next = next(self._frames, None)
            self._ended = self._next is None
        allowed = self._next is not None and self._next.pts_s <= self._until_s
        return self._next if allowed else None

    def _wait_for(self, frame: Frame) -> None:
        if self._pace.speed != "max":
            due_s = self._began_s + frame.pts_s / self._pace.speed
            self._pace.sleep(max(0.0, due_s - self._pace.monotonic()))


def stream_of(feed: Feed, source: str) -> EngineStream:
    """The feed as the engine's one stream."""
    return EngineStream(
        name=STREAM, source=source, take=feed.take, status=feed.status, pending=feed.pending
    )


def replay(
    engine: Engine, feed: Feed, questions: Iterable[TimedQuestion]
) -> Iterator[tuple[TimedQuestion, Answer]]:
    """Watch, and answer the questions in the order of their times; then watch the rest of the recording."""
    for timed in sorted(questions, key=lambda timed: timed.at_s):
        watch(engine, feed, timed.at_s)
        yield timed, _answer(engine, timed.question)
    watch(engine, feed, math.inf)


def watch(engine: Engine, feed: Feed, until_s: float) -> None:
    """Let the engine see everything up to a stream time."""
    feed.allow(until_s)
    while engine.step():
        pass


def _answer(engine: Engine, question: Question) -> Answer:
    events: list[AnswerEvent] = []
    engine.submit(question, events.append)
    while not (events and isinstance(events[-1], Answer)):
        assert engine.step(), "the engine stopped before it had answered"
    answer = events[-1]
    assert isinstance(answer, Answer)
    return answer
