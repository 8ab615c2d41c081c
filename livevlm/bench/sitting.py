"""Sitting: a long stream goes through the daemon's own engine with one memory, which is asked on the way."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from livevlm.assembly import engine_options
from livevlm.backbone import Backbone
from livevlm.bench.longstream import Asked, LongStream
from livevlm.config import Config
from livevlm.engine import Engine
from livevlm.messages import Question
from livevlm.metrics import Metrics
from livevlm.remembering import MemoryRecipe
from livevlm.replay import STREAM, Feed, TimedQuestion, replay, stream_of
from memory import MemoryStats, StreamMemory

MAX_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Mark:
    """An answer, whether it was right, and the seconds to its first token."""

    asked: Asked
    said: str
    ttft_s: float

    @property
    def right(self) -> bool:
        """Whether it says exactly what is true."""
        return normal(self.said) == normal(self.asked.exchange.answer)


@dataclass(frozen=True, slots=True)
class Sitting:
    """The answers in the order of their questions, and the memory's sizes when the stream had ended."""

    marks: list[Mark]
    stats: MemoryStats


def normal(text: str) -> str:
    """An answer without what is not part of it: case, spaces around and between words, a full stop at the end."""
    return " ".join(text.lower().split()).rstrip(".")


def sit(backbone: Backbone, config: Config, stream: LongStream) -> Sitting:
    """Show it all; ask every question when its frame is the newest."""
    feed = Feed(stream.frames(STREAM))
    options = engine_options(config)
    recipe = _Watched(
        **{one.name: getattr(options.memory, one.name) for one in fields(options.memory)}
    )
    engine = Engine(
        backbone,
        streams=[stream_of(feed, "quality")],
        options=replace(options, memory=recipe),
        metrics=Metrics(),
    )
    questions = [
        TimedQuestion(
            stream.seconds(one.at),
            Question(
                id=str(number), stream=STREAM, text=one.exchange.question, max_tokens=MAX_TOKENS
            ),
        )
        for number, one in enumerate(stream.asked)
    ]
    answers = [answer for _, answer in replay(engine, feed, questions)]
    (memory,) = recipe.built
    stats = memory.stats()
    engine.close()
    marks = [
        Mark(stream.asked[int(answer.question_id)], answer.text, answer.timings.ttft_s)
        for answer in answers
    ]
    return Sitting(marks, stats)


@dataclass(frozen=True, kw_only=True)
class _Watched(MemoryRecipe):
    """A recipe that remembers what was made after it: the engine tells sizes in sum alone."""

    built: list[StreamMemory] = field(default_factory=list)

    def build(self, backbone: Backbone, **settings: Any) -> StreamMemory:
        """As any recipe does."""
        memory = super().build(backbone, **settings)
        self.built.append(memory)
        return memory
