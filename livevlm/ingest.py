"""StreamIngest: the write path of one stream, Frame -> FrameTokens -> KVBlock -> memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from livevlm.backbone import Backbone
from livevlm.decoder import ChunkPast
from livevlm.keeper import Keeper
from livevlm.messages import AsOf
from livevlm.resuming import Resumption
from livevlm.timestamps import Timestamps
from livevlm.tokens import FrameTokens
from livevlm.vision import FrameEncoder, jpeg
from memory import KVBlock, StreamMemory, TimeSpan
from streams import Frame

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
    ) -> None:
        """timestamps: if given, the text of its time stands in front of each frame; the memory must have been built with
        room for it. keeper: if given, has filled the memory with what was remembered in an earlier life.
        """
        self._backbone, self.memory, self._encoder = backbone, memory, encoder
        self._score_queries, self._stage = score_queries, stage
        self._keeper = keeper
        self.timestamps = timestamps
        newest = memory.newest()
        self.as_of = None if newest is None else AsOf(stream_s=newest.stream_s, utc=newest.utc)
        self._resumption = Resumption(self.as_of)
        self.frames_encoded = 0

    @torch.inference_mode()
    def add(self, frames: Sequence[Frame]) -> None:
        """Encode, prefill and remember one chunk of frames."""
        began = time.monotonic()
        frames = self._resumption.shifted(frames)
        tokens = self._encoder.encode(frames)
        seen = time.monotonic()
        block = prefill(
            self._backbone,
            self.memory,
            tokens,
            self._score_queries,
            timestamps=self.timestamps,
        )
        filled = time.monotonic()
        pictures = {}
        if self.memory.archive is not None:
            pictures = {
                one.number: jpeg(frame.image) for one, frame in zip(tokens, frames, strict=True)
            }
        if self._keeper is None:
            self.memory.append(block, pictures)
        else:
            self._keeper.append(self.memory, block, pictures)
        self._stage("vision", seen - began)
        self._stage("prefill", filled - seen)
        self._stage("compress", time.monotonic() - filled)
        self.as_of = AsOf(stream_s=tokens[-1].pts_s, utc=tokens[-1].captured_utc)
        self.frames_encoded += len(frames)

    @torch.inference_mode()
    def forget(self, span: TimeSpan) -> None:
        """Erase what was seen in a span of stream seconds.

        Raises OSError or ArchiveError where some of it may be left on disk.
        """
        if self._keeper is None:
            self.memory.forget(span)
        else:
            self._keeper.forget(self.memory, span)

    @property
    def trouble(self) -> str:
        """Why the memory is not written to disk now, where it should be; empty while all is well."""
        return self.memory.archive_error if self._keeper is None else self._keeper.error

    def close(self) -> None:
        """Nothing comes any more: what is kept on disk is completed."""
        if self._keeper is not None:
            self._keeper.close(self.memory)


def prefill(
    backbone: Backbone,
    memory: StreamMemory,
    tokens: Sequence[FrameTokens],
    score_queries: int,
    *,
    timestamps: Timestamps | None = None,
) -> KVBlock:
    """One chunk of frames over everything that the memory holds -> their keys and values, and the last queries for scoring.

    With timestamps each frame begins with the text of its time, and those tokens are its own.
    """
    past = ChunkPast(memory.context(), backbone.rope, score_queries)
    parts = [
        [frame.embeds] if timestamps is None else [timestamps.embeds(frame.pts_s), frame.embeds]
        for frame in tokens
    ]
    backbone.forward(torch.cat([part for frame in parts for part in frame]), past)
    counts = torch.tensor([sum(len(part) for part in frame) for frame in parts])

    def each(values: list[float], dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(values, dtype=dtype).repeat_interleave(counts)

    return KVBlock(
        past.keys,
        past.values,
        past.queries,
        times=each([frame.pts_s for frame in tokens], torch.float64),
        utcs=each([frame.captured_utc for frame in tokens], torch.float64),
        frames=torch.tensor([frame.number for frame in tokens]).repeat_interleave(counts),
    )
