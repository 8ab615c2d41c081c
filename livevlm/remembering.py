"""MemoryRecipe: which memory a stream gets, by the names that configuration uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from livevlm.backbone import Backbone
from livevlm.decoder import ChunkPast
from livevlm.errors import ConfigError
from livevlm.timestamps import Timestamps
from memory import (
    Archive,
    ArchiveError,
    ArchiveIndex,
    BucketBy,
    CarrierTokens,
    ClipMerging,
    Context,
    HeadPool,
    IndexKind,
    InfiniPotV,
    KeepAll,
    KVBlock,
    LastFrames,
    MemoryOptions,
    PositionAgnosticRetrieval,
    Positions,
    ReadAll,
    Reader,
    ReKV,
    Retention,
    SlidingWindow,
    Storage,
    StreamMem,
    StreamMemory,
    TopScores,
    Uniform,
    Vault,
    VaultOptions,
    VisionSinkBucketing,
)

RETENTIONS = (
    "vsb",
    "full",
    "uniform",
    "window",
    "last",
    "topk",
    "infinipot",
    "streammem",
    "carrier",
    "clips",
)
READERS = ("par", "full", "rekv")
PAGE_CHOICES = ("shared", "layer")
# LiveVLM's cache size, and the positions left free for a question and its answer.
BUDGET = 12_000
QUESTION_ROOM = 128
# A segment of the archive is allocated whole: so large at most, and of so many pages.
SEGMENT_BYTES, MOST_PAGES = 16 << 20, 256
# ReKV's sliding window while it encodes, and how many frames a layer reads (its public code's n_local and topk).
REKV_WINDOW = 15_000
REKV_BLOCKS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRecipe:
    """A memory's settings; the configuration's table `[memory]` says what each means.

    budget_tokens: 0 is as many as the model was trained to read, but not more than LiveVLM's 12 000; for the retention "last",
    which holds the newest frames alone, it is none. timestamps: frames begin with the text of their time, `[ingest]
    timestamps`: room for it is kept, and frames need not be equally long. ReKV's blocks are frames of one length, so the two
    exclude each other.
    """

    budget_tokens: int = 0
    short_term_frames: int = 8
    retention: str = "vsb"
    reader: str = "par"
    retrieval_ratio: float = 0.4
    retrieval_floor: int = 256
    page_tokens: int = 16
    score_queries: int = 32
    bucket_capacity: int = 1
    top_ratio: float = 0.25
    bucket_by: str = "stream"
    overfill: bool = True
    score_heads: str = "mean"
    clip_ratio: float = 0.25
    page_choice: str = "shared"
    positions: str = "contiguous"
    sink_tokens: int = 4
    score_pool_tokens: int = 5
    tar_ratio: float = 0.5
    context_tokens: int = 0
    archive: bool = True
    archive_host_mb: int = 512
    archive_disk_mb: int = 8192
    archive_days: float = 0.0
    archive_storage: str = "exact"
    index: str = "auto"
    timestamps: bool = False

    def __post_init__(self) -> None:
        _known("memory.retention", self.retention, RETENTIONS)
        _known("memory.reader", self.reader, READERS)
        _known("memory.bucket_by", self.bucket_by, get_args(BucketBy))
        _known("memory.score_heads", self.score_heads, get_args(HeadPool))
        _known("memory.page_choice", self.page_choice, PAGE_CHOICES)
        _known("memory.positions", self.positions, get_args(Positions))
        _known("memory.index", self.index, get_args(IndexKind))
        _known("memory.archive_storage", self.archive_storage, get_args(Storage))
        if self.score_pool_tokens % 2 == 0:
            raise ConfigError(
                f"memory.score_pool_tokens = {self.score_pool_tokens} has no token in the middle: set an odd number"
            )
        if self.reader == "rekv" and self.retention != "full":
            raise ConfigError(
                'memory.reader = "rekv" reads a memory that keeps everything: set memory.retention = "full"'
            )
        if self.reader == "rekv" and self.timestamps:
            raise ConfigError(
                'memory.reader = "rekv" reads blocks of one frame, which must be equally long, and ingest.timestamps '
                'makes them differ: set ingest.timestamps = false, or memory.reader = "full" or "par"'
            )

    def build(
        self,
        backbone: Backbone,
        *,
        prompt: str,
        frame_tokens: int,
        chunk_frames: int,
        folder: Path | None = None,
    ) -> StreamMemory:
        """An empty memory with the prompt pinned in it. frame_tokens: the most that a picture becomes, its timestamp not
        counted. folder: where the archive lies, if not in memory alone; what lies there is taken in.
        """
        if self.timestamps:
            frame_tokens += Timestamps(backbone.codec, backbone.embed).max_tokens
        rekv = self.reader == "rekv"
        pinned = prompt_block(backbone, prompt)
        exact = (self.short_term_frames + chunk_frames) * frame_tokens
        budget = self.budget_tokens or self._own_budget(backbone, len(pinned) + exact)
        options = MemoryOptions(
            budget_tokens=budget,
            # ReKV searches all frames, the newest too, so none of them may stand apart.
            short_term_frames=0 if rekv else self.short_term_frames,
            append_tokens=chunk_frames * frame_tokens,
            frame_tokens=frame_tokens,
            context_tokens=REKV_WINDOW if rekv else self.context_tokens,
            index=self.index,  # type: ignore[arg-type]  # checked above
            score_heads=self.score_heads,  # type: ignore[arg-type]  # checked above
            positions=self.positions,  # type: ignore[arg-type]  # checked above
            most_positions=backbone.max_positions,
            # ReKV is defined by blocks that each layer chooses.
            shared_pages=self.page_choice == "shared" and not rekv,
        )
        return StreamMemory(
            backbone.kv,
            backbone.rope,
            pinned,
            options,
            retention=self._retention(backbone, pinned),
            reader=self._reader(frame_tokens, budget, own_budget(backbone, len(pinned) + exact)),
            storage=torch.device("cpu") if rekv else None,
            archive=self._archive(backbone, pinned, folder) if self.archived else None,
        )

    @property
    def archived(self) -> bool:
        """Whether there is an archive: only `par` reads it, and a memory that keeps everything needs none."""
        return self.archive and self.reader == "par" and self.retention != "full"

    def _archive(self, backbone: Backbone, pinned: KVBlock, folder: Path | None) -> Archive:
        dtype = pinned.keys.dtype
        token_bytes = backbone.kv.bytes_per_token(dtype)
        pages = max(1, min(MOST_PAGES, SEGMENT_BYTES // (token_bytes * self.page_tokens)))
        options = VaultOptions(
            page_tokens=self.page_tokens,
            segment_tokens=pages * self.page_tokens,
            host_bytes=self.archive_host_mb << 20,
            disk_bytes=self.archive_disk_mb << 20,
            keep_s=self.archive_days * 86400,
            storage=self.archive_storage,  # type: ignore[arg-type]  # checked above
            folder=folder,
        )
        shared = self.page_choice == "shared"
        layers, dim = backbone.kv.layers, backbone.kv.kv_heads * backbone.kv.head_dim
        index = ArchiveIndex(1, layers * dim) if shared else ArchiveIndex(layers, dim)
        try:
            return Archive(Vault(backbone.kv, dtype, options), index, shared=shared)
        except ArchiveError as error:
            raise ConfigError(str(error)) from error

    def _own_budget(self, backbone: Backbone, besides: int) -> int:
        room = own_budget(backbone, besides)
        return 0 if self.retention == "last" else room

    def _retention(self, backbone: Backbone, pinned: KVBlock) -> Retention:
        match self.retention:
            case "full":
                return KeepAll()
            case "uniform":
                return Uniform()
            case "window":
                return SlidingWindow(self.sink_tokens)
            case "last":
                return LastFrames()
            case "topk":
                return TopScores(self.score_pool_tokens)
            case "infinipot":
                return InfiniPotV(self.tar_ratio)
            case "streammem":
                return StreamMem(proxy_queries(backbone, pinned))
            case "carrier":
                return CarrierTokens()
            case "clips":
                return ClipMerging(self.clip_ratio)
        return VisionSinkBucketing(
            self.bucket_capacity,
            self.top_ratio,
            self.bucket_by,  # type: ignore[arg-type]  # checked above
            self.overfill,
        )

    def _reader(self, frame_tokens: int, budget: int, room: int) -> Reader:
        """room: the long-term tokens that the model can read."""
        if self.reader == "rekv":
            return ReKV(page_tokens=frame_tokens, blocks=REKV_BLOCKS)
        if self.reader == "full":
            return ReadAll(self.page_tokens)
        limit = max(int(self.retrieval_ratio * budget), min(self.retrieval_floor, room))
        return PositionAgnosticRetrieval(limit, self.page_tokens)


def own_budget(backbone: Backbone, besides: int) -> int:
    """The long-term tokens that the model can read beside so many others and a question, at most 12 000."""
    room = backbone.max_positions - besides - QUESTION_ROOM
    if room < 1:
        raise ConfigError(
            f"the model {backbone.name} reads {backbone.max_positions} positions at once, which the newest frames fill: "
            "set fewer memory.short_term_frames or ingest.chunk_frames"
        )
    return min(BUDGET, room)


def _known(key: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise ConfigError(f"{key} = {name!r} is not known; there are {', '.join(names)}")


@torch.inference_mode()
def prompt_block(backbone: Backbone, prompt: str) -> KVBlock:
    """The prompt's keys and values, computed once; every video token attends to them."""
    ids = backbone.codec.encode(prompt)
    if not ids:
        raise ConfigError(
            "the model's chat template puts nothing before the video; set answer.system_prompt"
        )
    past = ChunkPast(None, backbone.rope, 1)
    backbone.forward(backbone.embed(ids), past)
    nowhen = torch.full((len(ids),), -torch.inf, dtype=torch.float64)
    return KVBlock(
        past.keys, past.values, past.queries, nowhen, nowhen, torch.full((len(ids),), -1)
    )


@torch.inference_mode()
def proxy_queries(backbone: Backbone, pinned: KVBlock) -> Tensor:
    """What stands in for a question before there is one: the position-free queries (L, H, R, D) of all that the chat template
    puts between a video and its answer, read over the pinned prompt, as a question is.
    """
    ids = backbone.codec.encode(backbone.codec.layout("").ask(""))
    if not ids:
        raise ConfigError(
            "memory.retention = \"streammem\" scores by the chat template's text between video and answer, and the model's has "
            "none: set another memory.retention"
        )
    past = ChunkPast(Context(pinned.keys, pinned.values), backbone.rope, len(ids))
    backbone.forward(backbone.embed(ids), past)
    return past.queries
