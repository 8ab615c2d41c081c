"""Answering: the read path of one question, Question -> Recall -> tokens -> AnswerChunks. It never changes a memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from livevlm.backbone import Backbone
from livevlm.chat import ChatLayout, fitting
from livevlm.decoder import AnswerPast, AnswerPasts, ChunkPast, SideBySide
from livevlm.detokenize import Detokenizer
from livevlm.errors import LiveVLMError, RangeNotInMemory
from livevlm.messages import (
    Answer,
    AnswerChunk,
    AsOf,
    Evidence,
    Failure,
    Question,
    Recalled,
    Status,
    TimeRange,
    Timings,
)
from livevlm.pictures import pictured
from livevlm.sampling import TokenSampler
from memory import Recall, StreamMemory, TimeSpan, attended, evidence

# Positions kept free for an answer when earlier turns are read; an answer may be longer.
ANSWER_ROOM = 128


class Answering:
    """One answer in progress: `begin` once, `advance` until `over`, `finish` once; several at once by `begin_together` and
    `advance_together`. All on the model's thread.
    """

    def __init__(
        self,
        backbone: Backbone,
        question: Question,
        layout: ChatLayout,
        *,
        asked: float,
        clock: Callable[[], float],
    ) -> None:
        """asked: the clock's reading when the question arrived; the clock is monotonic, in seconds."""
        self._backbone, self.question, self._layout = backbone, question, layout
        self._asked, self._clock = asked, clock
        self._sampler = TokenSampler(
            temperature=question.temperature, top_p=question.top_p, seed=question.seed
        )
        self._detokenizer = Detokenizer(backbone.codec.decode)
        self._past: AnswerPast | None = None
        self._next: Tensor | None = None
        self._text: list[str] = []
        self._tokens = 0
        self._answer = Answer(
            question_id=question.id, stream=question.stream, text="", status="completed", as_of=None
        )
        self.over: Status | None = None

    def begin(
        self,
        memory: StreamMemory,
        as_of: AsOf,
        *,
        flushed: float,
        retrieved: Callable[[float], None],
    ) -> Recalled:
        """As `begin_together`, alone. Raises RangeNotInMemory where nothing is remembered of the time that was asked about."""
        (begun,) = begin_together([(self, memory, as_of)], flushed=flushed, retrieved=retrieved)
        if isinstance(begun, LiveVLMError):
            raise begun
        return begun

    def recall(self, memory: StreamMemory, as_of: AsOf, queries: Tensor) -> _Reading:
        """What the question is to be read over. Raises RangeNotInMemory."""
        recall = memory.recall(queries, stream_span(self.question.time, as_of))
        if recall.tiers.video == 0:
            raise RangeNotInMemory(not_remembered(self.question.stream, memory))
        asking = self._asking(len(recall))
        self._past = AnswerPast(recall, memory.rope, len(asking) + self.question.max_tokens)
        return _Reading(self, memory, as_of, recall, asking, self._past)

    def read(self, reading: _Reading, logits: Tensor, timings: Timings) -> Recalled:
        """The question was read, and logits (vocabulary,) came behind it: where the answer will be given from."""
        self._next, recall = logits, reading.recall
        mass = attended(recall, reading.memory.rope, reading.past.queries)
        spans = evidence(recall, mass, self.question.max_evidence)
        pictures = pictured(spans, recall, mass, reading.memory.archive)
        found = tuple(
            Evidence(
                stream=self.question.stream, from_s=one.from_s, to_s=one.to_s, from_utc=one.from_utc, to_utc=one.to_utc,
                score=one.score, tier=one.tier, picture=picture,
            )
            for one, picture in zip(spans, pictures, strict=True)
        )  # fmt: skip
        self._answer = replace(
            self._answer,
            as_of=reading.as_of,
            evidence=found,
            timings=timings,
            question_tokens=len(reading.asking),
            context_tokens=len(recall),
        )
        return Recalled(question_id=self.question.id, as_of=reading.as_of, evidence=found)

    def _asking(self, recalled: int) -> list[int]:
        """The tokens to be read behind so many recalled ones: the question, and before it what was asked earlier, as far as the
        model was trained to read so many at once.
        """
        encode, question = self._backbone.codec.encode, self.question
        alone = encode(self._layout.ask(question.text))
        if not question.earlier:
            return alone
        answer = min(question.max_tokens, ANSWER_ROOM)
        room = self._backbone.max_positions - recalled - len(alone) - answer
        earlier = fitting(self._layout, question.earlier, lambda text: len(encode(text)), room)
        return encode(self._layout.ask(question.text, earlier))

    def advance(self) -> AnswerChunk | None:
        """One more token; the text that it completes, if any. Raises LiveVLMError where the model gives no numbers."""
        (said,) = advance_together([self])
        if isinstance(said, LiveVLMError):
            raise said
        return said

    def choose(self) -> tuple[AnswerChunk | None, int | None]:
        """The next token's text, if it completes any, and its id, unless the answer is over with it."""
        assert self._next is not None and self.over is None
        id_ = self._sampler.next(self._next)
        if self._tokens == 0:
            self._answer = replace(
                self._answer,
                timings=replace(self._answer.timings, ttft_s=self._clock() - self._asked),
            )
        if id_ in self._backbone.codec.stop_ids:
            self.over = "completed"
            return self._give(self._detokenizer.end()), None
        self._tokens += 1
        piece = self._detokenizer.push(id_)
        if self._tokens == self.question.max_tokens:
            self.over = "incomplete"
            return self._give(piece + self._detokenizer.end()), None
        return self._give(piece), id_

    def _give(self, text: str) -> AnswerChunk | None:
        if not text:
            return None
        self._text.append(text)
        return AnswerChunk(question_id=self.question.id, text=text)

    def expired(self) -> bool:
        """Whether the question's deadline has passed."""
        limit = self.question.deadline_s
        return limit is not None and self._clock() - self._asked > limit

    def finish(self, status: Status, error: LiveVLMError | None = None) -> Answer:
        """The answer as it stands."""
        total = self._clock() - self._asked
        timings = self._answer.timings
        decode = max(0.0, total - timings.ttft_s) if timings.ttft_s else 0.0
        failure = None
        if error is not None:
            failure = Failure(code=error.code, message=error.message, kind=error.kind)
        return replace(
            self._answer,
            text="".join(self._text),
            status=status,
            timings=replace(timings, decode_s=decode, total_s=total),
            answer_tokens=self._tokens,
            failure=failure,
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question that is about to be read: over what, and its tokens."""

    answering: Answering
    memory: StreamMemory
    as_of: AsOf
    recall: Recall
    asking: list[int]
    past: AnswerPast


@torch.inference_mode()
def begin_together(
    askings: Sequence[tuple[Answering, StreamMemory, AsOf]],
    *,
    flushed: float,
    retrieved: Callable[[float], None],
) -> list[Recalled | LiveVLMError]:
    """Recall for several questions of one model, and read each over what was recalled for it. For each: from what it will be
    answered, or RangeNotInMemory. flushed: the clock when their turn came; then frames were taken in. retrieved: told how many
    seconds the recalling took.
    """
    first = askings[0][0]
    backbone, clock = first._backbone, first._clock
    began = clock()
    texts = [backbone.codec.encode(one.question.text) for one, _, _ in askings]
    memories = [memory for _, memory, _ in askings]
    begun: dict[int, Recalled | LiveVLMError] = {}
    readings: dict[int, _Reading] = {}
    for place, queries in enumerate(queries_together(backbone, memories, texts)):
        one, memory, as_of = askings[place]
        try:
            readings[place] = one.recall(memory, as_of, queries)
        except LiveVLMError as error:
            begun[place] = error
    recalled = clock()
    retrieved(recalled - began)
    for (place, reading), logits in zip(
        readings.items(), _read(backbone, [*readings.values()]), strict=True
    ):
        timings = Timings(
            queue_s=flushed - reading.answering._asked,
            flush_s=began - flushed,
            retrieve_s=recalled - began,
        )
        begun[place] = reading.answering.read(reading, logits, timings)
    return [begun[place] for place in range(len(askings))]


def _read(backbone: Backbone, readings: Sequence[_Reading]) -> list[Tensor]:
    """Questions in one walk, each over what was recalled for it: the logits (vocabulary,) behind each."""
    if not readings:
        return []
    ids = [one.asking for one in readings]
    past = AnswerPasts([one.past for one in readings], [len(one) for one in ids])
    hidden = backbone.forward(backbone.embed([id_ for one in ids for id_ in one]), past)
    ends = [length - 1 for length in itertools.accumulate(past.lengths)]
    return [*backbone.logits(hidden[ends])]


@torch.inference_mode()
def advance_together(
    answers: Sequence[Answering],
) -> list[AnswerChunk | LiveVLMError | None]:
    """One more token of each of several answers, in one walk of their model. For each: the text that it completes, if any, or
    why the answer can go no further, which is no matter of the others.
    """
    said: list[AnswerChunk | LiveVLMError | None] = []
    going: list[tuple[Answering, AnswerPast, int]] = []
    for one in answers:
        try:
            chunk, id_ = one.choose()
        except LiveVLMError as error:
            said.append(error)
            continue
        said.append(chunk)
        if id_ is not None and one._past is not None:
            going.append((one, one._past, id_))
    if going:
        backbone = going[0][0]._backbone
        pasts = [past for _, past, _ in going]
        past = AnswerPasts(pasts, [1] * len(pasts))
        hidden = backbone.forward(backbone.embed([id_ for _, _, id_ in going]), past)
        for (one, _, _), logits in zip(going, backbone.logits(hidden), strict=True):
            one._next = logits
    return said


def question_queries(backbone: Backbone, memory: StreamMemory, text: list[int]) -> Tensor:
    """The question's own position-free queries (L, H, N, D): its text read over the pinned prompt alone, without any video."""
    (queries,) = queries_together(backbone, [memory], [text])
    return queries


def queries_together(
    backbone: Backbone, memories: Sequence[StreamMemory], texts: Sequence[list[int]]
) -> list[Tensor]:
    """As `question_queries`, of several questions in one walk."""
    pasts = [
        ChunkPast(memory.prompt(), backbone.rope, len(text))
        for memory, text in zip(memories, texts, strict=True)
    ]
    past = pasts[0] if len(pasts) == 1 else SideBySide(pasts, [len(text) for text in texts])
    backbone.forward(backbone.embed([id_ for text in texts for id_ in text]), past)
    return [one.queries for one in pasts]


def stream_span(time: TimeRange | None, as_of: AsOf) -> TimeSpan | None:
    """A question's time range in stream seconds; None is all of it."""
    if time is None:
        return None
    if time.last_s is not None:
        return as_of.stream_s - time.last_s, math.inf
    # Arrival and stream time run alike but for drift: the newest frame ties them together.
    shift = as_of.utc - as_of.stream_s if time.utc else 0.0
    start = -math.inf if time.from_s is None else time.from_s - shift
    stop = math.inf if time.to_s is None else time.to_s - shift
    return start, stop


def not_remembered(stream: str, memory: StreamMemory) -> str:
    """What to tell somebody who asked about a time that is not in memory."""
    stats = memory.stats()
    if stats.from_s is None or stats.to_s is None:
        return f"nothing is remembered of {stream}: all of it was forgotten"
    reach = f"its memory goes from {stats.from_s:.1f} s to {stats.to_s:.1f} s of the stream"
    return f"nothing is remembered of that time on {stream}; {reach}"
