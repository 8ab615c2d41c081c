"""Keys and values at rest: what a stream's memory keeps, and what a question gets back from it."""

from memory.archive import ArchiveError, Storage, Vault, VaultOptions, VaultStats
from memory.archive.archive import Archive
from memory.archive.index import ArchiveIndex
from memory.index import IndexKind
from memory.kv import KVBlock, KVShape, TimeSpan
from memory.options import MemoryOptions, MemoryStats
from memory.readers import PositionAgnosticRetrieval, ReadAll, Reader, ReKV
from memory.recall import Positions, Recall, Span, Tiers, attended, evidence
from memory.retention import (
    BucketBy,
    CarrierTokens,
    ClipMerging,
    InfiniPotV,
    KeepAll,
    Kept,
    LastFrames,
    LongTerm,
    Merged,
    Retention,
    SlidingWindow,
    StreamMem,
    TopScores,
    Uniform,
    VisionSinkBucketing,
)
from memory.rope import Rope
from memory.scoring import HeadPool
from memory.state import StateFolder
from memory.store import Context, StreamMemory

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveIndex",
    "BucketBy",
    "CarrierTokens",
    "ClipMerging",
    "Context",
    "HeadPool",
    "IndexKind",
    "InfiniPotV",
    "KVBlock",
    "KVShape",
    "KeepAll",
    "Kept",
    "LastFrames",
    "LongTerm",
    "MemoryOptions",
    "MemoryStats",
    "Merged",
    "PositionAgnosticRetrieval",
    "Positions",
    "ReKV",
    "ReadAll",
    "Reader",
    "Recall",
    "Retention",
    "Rope",
    "SlidingWindow",
    "Span",
    "StateFolder",
    "Storage",
    "StreamMem",
    "StreamMemory",
    "Tiers",
    "TimeSpan",
    "TopScores",
    "Uniform",
    "Vault",
    "VaultOptions",
    "VaultStats",
    "VisionSinkBucketing",
    "attended",
    "evidence",
]
