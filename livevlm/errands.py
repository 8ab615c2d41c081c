"""Errands: what is asked of memories besides questions, carried out one at a time on the model's thread, which owns them."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch

from livevlm.answer import Answering, question_queries, stream_span
from livevlm.backbone import Backbone
from livevlm.chat import ChatLayout
from livevlm.errors import LiveVLMError, NoFramesYet, NotErased, QueueFull
from livevlm.ingest import StreamIngest
from livevlm.messages import (
    AsOf,
    Done,
    Errand,
    Forget,
    Forgotten,
    Found,
    Look,
    Measure,
    Measured,
    MemorySize,
    Picture,
    Question,
    Result,
    Search,
)
from livevlm.pictures import frame_at
from livevlm.roster import Roster, Watched
from livevlm.searching import pooled, search_archive
from livevlm.spans import tier_spans
from memory import ArchiveError, TimeSpan

logger = logging.getLogger(__name__)

EVERYTHING = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What errands are carried out with.

    take_in: have one waiting chunk of a stream remembered, or all that waits. clock: monotonic seconds.
    """

    backbone: Backbone
    layout: ChatLayout
    roster: Roster
    take_in: Callable[[Watched, bool], None]
    clock: Callable[[], float]


class Errands:
    """A bounded queue of errands. `put` may be called from any thread, the rest on the model's."""

    def __init__(self, desk: Desk, limit: int) -> None:
        self._desk, self._limit = desk, limit
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Errand, Done]] = deque()

    def put(self, errand: Errand, done: Done) -> None:
        """Accept an errand about a stream that there is. Raises QueueFull."""
        with self._lock:
            if len(self._waiting) >= self._limit:
                raise QueueFull(f"{len(self._waiting)} errands wait already; ask again in a moment")
            self._waiting.append((errand, done))

    def run(self) -> bool:
        """Carry one out; False where there is none."""
        with self._lock:
            if not self._waiting:
                return False
            errand, done = self._waiting.popleft()
        done(_ended(errand, self._desk))
        return True

    def close(self) -> None:
        """Tell whoever waits that nothing will come."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        for _, done in waiting:
            done(LiveVLMError("the daemon is stopping"))


def _ended(errand: Errand, desk: Desk) -> Result | LiveVLMError:
    try:
        return carry_out(errand, desk)
    except LiveVLMError as error:
        return error


def carry_out(errand: Errand, desk: Desk) -> Result:
    """Carry out one errand. Raises NoFramesYet, RangeNotInMemory, NotErased, and StreamNotFound for one removed meanwhile."""
    match errand:
        case Measure():
            asked = (
                tuple(desk.roster) if errand.stream is None else (desk.roster.get(errand.stream),)
            )
            return Measured(
                memories=tuple(memory_size(one.stream.name, one.ingest) for one in asked)
            )
        case Search():
            desk.take_in(desk.roster.get(errand.stream), False)
            return search(errand, desk)
        case Forget():
            watched = desk.roster.get(errand.stream)
            # What arrived before the errand is erased too, also what the model has not seen yet.
            desk.take_in(watched, True)
            try:
                return forget(errand, watched.ingest)
            finally:
                watched.look()
        case Look():
            return Picture(jpeg=look(errand, desk.roster.ingest(errand.stream)))


def memory_size(name: str, ingest: StreamIngest) -> MemorySize:
    """The sizes of a stream's memory."""
    stats, archive = ingest.memory.stats(), ingest.memory.archive
    tokens = stats.tokens
    return MemorySize(
        stream=name,
        as_of=ingest.as_of,
        tokens={tier: getattr(tokens, tier) for tier in ("prompt", "short", "long", "archive")},
        device_bytes=stats.device_bytes,
        host_bytes=stats.host_bytes,
        disk_bytes=stats.disk_bytes,
        evicted_tokens=stats.evicted_tokens,
        pictures=0 if archive is None else archive.stats().pictures,
        from_s=stats.from_s,
        to_s=stats.to_s,
        spans=tier_spans(ingest.memory),
        error=ingest.trouble or None,
    )


@torch.inference_mode()
def search(errand: Search, desk: Desk) -> Found:
    """Rank the archive's pages. Where there is none inside of the time, begin an answer, for what it would be given from."""
    ingest, backbone = desk.roster.ingest(errand.stream), desk.backbone
    as_of, memory = _as_of(errand.stream, ingest), ingest.memory
    queries = question_queries(backbone, memory, backbone.codec.encode(errand.text))
    spans = search_archive(
        errand.stream,
        memory,
        pooled(queries, backbone.kv.kv_heads),
        span=stream_span(errand.time, as_of),
        limit=errand.limit,
    )
    if spans:
        return Found(stream=errand.stream, as_of=as_of, spans=spans)
    question = Question(
        id="",
        stream=errand.stream,
        text=errand.text,
        max_tokens=1,
        time=errand.time,
        max_evidence=errand.limit,
    )
    now = desk.clock()
    answering = Answering(backbone, question, desk.layout, asked=now, clock=desk.clock)
    recalled = answering.begin(memory, as_of, flushed=now, retrieved=lambda _: None)
    return Found(stream=errand.stream, as_of=as_of, spans=recalled.evidence)


def forget(errand: Forget, ingest: StreamIngest) -> Forgotten:
    """Erase what the errand says from the memory and its files. Raises NotErased where files could not be written."""
    if errand.time is None:
        span = EVERYTHING
    else:
        span = stream_span(errand.time, _as_of(errand.stream, ingest)) or EVERYTHING
    before = _held(ingest)
    try:
        ingest.forget(span)
    except (OSError, ArchiveError) as error:
        raise NotErased(
            f"{errand.stream}: what was forgotten may still lie on disk: {error}; see to the disk and forget it again"
        ) from error
    device, archive, frames = (old - new for old, new in zip(before, _held(ingest), strict=True))
    logger.info("stream %s: forgot %d frames, as it was told", errand.stream, frames)
    return Forgotten(
        stream=errand.stream, device_tokens=device, archive_tokens=archive, frames=frames
    )


def look(errand: Look, ingest: StreamIngest) -> bytes | None:
    """The picture of a frame, if it is kept."""
    archive, frame = ingest.memory.archive, errand.frame
    if frame is None and errand.time is None:
        return ingest.newest_picture()
    if archive is None:
        return None
    if errand.time is not None and ingest.as_of is not None:
        span: TimeSpan | None = stream_span(errand.time, ingest.as_of)
        frame = None if span is None else frame_at(archive, span)
    return None if frame is None else archive.picture(frame)


def _held(ingest: StreamIngest) -> tuple[int, int, int]:
    """Tokens on the device, tokens in the archive, and how many frames they are of at least."""
    memory = ingest.memory
    stats, prompt = memory.stats(), memory.tiers.prompt
    frames = len(torch.unique(memory.frames[:, prompt:]))
    if memory.archive is not None:
        frames = max(frames, memory.archive.stats().pictures)
    return stats.tokens.long + stats.tokens.short, stats.tokens.archive, frames


def _as_of(name: str, ingest: StreamIngest) -> AsOf:
    if ingest.as_of is None:
        raise NoFramesYet(f"the stream {name} has shown nothing yet")
    return ingest.as_of
