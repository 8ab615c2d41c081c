"""StreamIngest: the write path of one stream, Frame -> FrameTokens -> KVBlock -> memory; several streams may share a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm.backbone import Backbone
from livevlm.decoder import ChunkPast, SideBySide
from livevlm.keeper import Keeper
from livevlm.messages import AsOf
from livevlm.progress import Progress
from livevlm.resuming import Resumption
from livevlm.shown import Shown
from livevlm.timestamps import Timestamps
from livevlm.tokens import FrameTokens
from livevlm.vision import FrameEncoder, jpeg, look
from memory import KVBlock, StreamMemory, TimeSpan
from streams import Edition, Frame

Stage = Callable[[str, float], None]


class StreamIngest:
    """Runs a stream's frames through the model, a chunk at a time, and remembers them.

    Whatever is handed in is in the memory when `add` returns: there is never a partial chunk that an answer would have
    to flush.
    """

    def __init__(
        self,
        backbone: Backbone,
        memory: StreamMemory,
        encoder: FrameEncoder,
        *,
        score_queries: int,
        stage: Stage,
        timestamps: Timestamps | None = None,
        keeper: Keeper | None = None,
        edition: Edition | None = None,
        progress: Progress | None = None,
    ) -> None:
        """timestamps: if given, the text of its time stands in front of each frame; the memory must have been built with
        room for it. keeper: if given, has filled the memory with what was remembered in an earlier life. edition: of a
        recording, which one it is; progress: how far it was watched, if it is not begun with.
        """
        self.backbone, self.memory, self.encoder = backbone, memory, encoder
        self._score_queries, self.stage = score_queries, stage
        self._keeper = keeper
        self.timestamps = timestamps
        newest = memory.newest()
        self.as_of = None if newest is None else AsOf(stream_s=newest.stream_s, utc=newest.utc)
        self._resumption = Resumption(self.as_of, edition, progress)
        self.frames_encoded = 0
        self._shown: Shown | None = None
        self.newest: FrameTokens | None = None  # what watches look at; its pixels are gone

    def add(self, frames: Sequence[Frame]) -> None:
        """Encode, prefill and remember one chunk of frames."""
        add_together([(self, frames)])

    def shifted(self, frames: Sequence[Frame]) -> list[Frame]:
        """Frames as they arrive, in the time of the stream that is remembered."""
        return self._resumption.shifted(frames)

    def chunk(self, tokens: Sequence[FrameTokens]) -> Chunk:
        """Tokens as they are to be run through the model over this memory."""
        return Chunk(self.memory, tokens, self._score_queries, self.timestamps)

    def remember(
        self, frames: Sequence[Frame], tokens: Sequence[FrameTokens], block: KVBlock
    ) -> None:
        """Take in what the model made of a chunk."""
        pictures = {}
        if self.memory.archive is not None:
            pictures = {
                one.number: jpeg(frame.image) for one, frame in zip(tokens, frames, strict=True)
            }
        if self._keeper is None:
            self.memory.append(block, pictures)
        else:
            if not self.frames_encoded and self._resumption.progress is None:
                self._keeper.begin(self.memory, self._resumption.beginning(frames[0]))
            note = self._resumption.remembered(frames[-1])
            self._keeper.append(self.memory, block, pictures, note)
        self.as_of = AsOf(stream_s=tokens[-1].pts_s, utc=tokens[-1].captured_utc)
        self.frames_encoded += len(frames)
        self.newest = tokens[-1]
        number = tokens[-1].number
        self._shown = Shown(self.as_of.stream_s, frames[-1].image, pictures.get(number))

    def newest_picture(self) -> bytes | None:
        """The JPEG of the newest frame that is remembered, with an archive or without; None where there is none."""
        if self._shown is not None:
            return self._shown.picture()
        archive, newest = self.memory.archive, self.memory.newest()
        return None if newest is None or archive is None else archive.picture(newest.frame)

    @torch.inference_mode()
    def forget(self, span: TimeSpan) -> None:
        """Erase what was seen in a span of stream seconds.

        Raises OSError or ArchiveError where some of it may be left on disk.
        """
        if self._shown is not None and span[0] <= self._shown.stream_s <= span[1]:
            self._shown = self.newest = None
        if self._keeper is None:
            self.memory.forget(span)
        else:
            self._keeper.forget(self.memory, span)

    @torch.inference_mode()
    def tidy(self) -> bool:
        """A bit of what the next question would otherwise wait for; False where there is nothing to do."""
        if self._keeper is None:
            return self.memory.tidy()
        return self._keeper.tidy(self.memory)

    @property
    def trouble(self) -> str:
        """Why the memory is not written to disk now, where it should be; empty while all is well."""
        return self.memory.archive_error if self._keeper is None else self._keeper.error

    @torch.inference_mode()
    def finish(self) -> None:
        """The recording was read to its end, and all that it gave is remembered: it is not to be watched again."""
        note = self._resumption.finished()
        if self._keeper is not None and note is not None:
            self._keeper.mark(self.memory, note)

    def close(self, *, anew: bool = False) -> None:
        """Nothing comes any more: what is kept on disk is completed. anew: a recording is begun with again the next time."""
        if self._keeper is not None:
            self._keeper.close(self.memory, note=not anew)

    def leave(self) -> None:
        """Nothing comes any more, and what is on disk is let go of as it is: it is to be erased."""
        if self._keeper is not None:
            self._keeper.leave()


@torch.inference_mode()
def add_together(chunks: Sequence[tuple[StreamIngest, Sequence[Frame]]]) -> None:
    """Encode, prefill and remember one chunk of each of several streams, in one batch. All have one model; none is twice."""
    began = time.monotonic()
    backbone, stage = chunks[0][0].backbone, chunks[0][0].stage
    shown = [(ingest, ingest.shifted(frames)) for ingest, frames in chunks]
    grids = look(backbone, [frame for _, frames in shown for frame in frames])
    parts = torch.split(grids, [len(frames) for _, frames in shown])
    tokens = [
        ingest.encoder.reduced(frames, part)
        for (ingest, frames), part in zip(shown, parts, strict=True)
    ]
    seen = time.monotonic()
    blocks = prefill_together(
        backbone, [ingest.chunk(part) for (ingest, _), part in zip(shown, tokens, strict=True)]
    )
    filled = time.monotonic()
    for (ingest, frames), part, block in zip(shown, tokens, blocks, strict=True):
        ingest.remember(frames, part, block)
    stage("vision", seen - began)
    stage("prefill", filled - seen)
    stage("compress", time.monotonic() - filled)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is run through the model over one memory. With timestamps each frame begins with the text of its time, and those
    tokens are its own.
    """

    memory: StreamMemory
    tokens: Sequence[FrameTokens]
    score_queries: int
    timestamps: Timestamps | None = None

    def parts(self) -> list[list[Tensor]]:
        """The embeddings (N, hidden) of each frame, in pieces."""
        if self.timestamps is None:
            return [[frame.embeds] for frame in self.tokens]
        return [[self.timestamps.embeds(frame.pts_s), frame.embeds] for frame in self.tokens]


def prefill(
    backbone: Backbone,
    memory: StreamMemory,
    tokens: Sequence[FrameTokens],
    score_queries: int,
    *,
    timestamps: Timestamps | None = None,
) -> KVBlock:
    """One chunk of frames over everything that the memory holds -> their keys and values, and the last queries for scoring."""
    (block,) = prefill_together(backbone, [Chunk(memory, tokens, score_queries, timestamps)])
    return block


def prefill_together(backbone: Backbone, chunks: Sequence[Chunk]) -> list[KVBlock]:
    """A chunk over each of several memories, as `prefill`: linear layers are shared, but no token sees another stream's."""
    parts = [chunk.parts() for chunk in chunks]
    pasts = [
        ChunkPast(chunk.memory.context(), backbone.rope, chunk.score_queries) for chunk in chunks
    ]
    rows = [torch.cat([part for frame in frames for part in frame]) for frames in parts]
    lengths = [len(row) for row in rows]
    past = pasts[0] if len(pasts) == 1 else SideBySide(pasts, lengths)
    backbone.forward(torch.cat(rows), past)
    return [
        _block(one, chunk.tokens, torch.tensor([sum(map(len, frame)) for frame in frames]))
        for one, chunk, frames in zip(pasts, chunks, parts, strict=True)
    ]


def _block(past: ChunkPast, tokens: Sequence[FrameTokens], counts: Tensor) -> KVBlock:
    """What a walk left, with each token's time and frame; counts: the tokens of each frame."""

    def each(values: list[float], dtype: torch.dtype) -> Tensor:
        return torch.tensor(values, dtype=dtype).repeat_interleave(counts)

    return KVBlock(
        past.keys,
        past.values,
        past.queries,
        times=each([frame.pts_s for frame in tokens], torch.float64),
        utcs=each([frame.captured_utc for frame in tokens], torch.float64),
        frames=torch.tensor([frame.number for frame in tokens]).repeat_interleave(counts),
    )
