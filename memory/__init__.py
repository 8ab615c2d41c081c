"""Keys and values at rest: what a stream's memory keeps, and what a question gets back from it."""

from memory.index import IndexKind
from memory.kv import KVBlock, KVShape
from memory.options import MemoryOptions, MemoryStats
from memory.readers import PositionAgnosticRetrieval, ReadAll, Reader, ReKV
from memory.recall import Recall, Span, Tiers, TimeSpan, attended, evidence
from memory.retention import (
    BucketBy,
    CarrierTokens,
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
from memory.store import Context, StreamMemory

__all__ = [
    "BucketBy",
    "CarrierTokens",
    "Context",
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
    "ReKV",
    "ReadAll",
    "Reader",
    "Recall",
    "Retention",
    "Rope",
    "SlidingWindow",
    "Span",
    "StreamMem",
    "StreamMemory",
    "Tiers",
    "TimeSpan",
    "TopScores",
    "Uniform",
    "VisionSinkBucketing",
    "attended",
    "evidence",
]
