"""Retention: which long-term tokens stay when the budget is exceeded. One method a file."""

from memory.retention.base import Kept, LongTerm, Merged, Retention, best
from memory.retention.carrier import CarrierTokens
from memory.retention.clips import ClipMerging
from memory.retention.infinipot import InfiniPotV
from memory.retention.keep_all import KeepAll
from memory.retention.last_frames import LastFrames
from memory.retention.streammem import StreamMem
from memory.retention.top_scores import TopScores
from memory.retention.uniform import Uniform
from memory.retention.vsb import BucketBy, VisionSinkBucketing
from memory.retention.window import SlidingWindow

__all__ = [
    "BucketBy",
    "CarrierTokens",
    "ClipMerging",
    "InfiniPotV",
    "KeepAll",
    "Kept",
    "LastFrames",
    "LongTerm",
    "Merged",
    "Retention",
    "SlidingWindow",
    "StreamMem",
    "TopScores",
    "Uniform",
    "VisionSinkBucketing",
    "best",
]
