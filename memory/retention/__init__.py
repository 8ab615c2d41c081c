"""Retention: which long-term tokens stay when the budget is exceeded. One method a file."""

from memory.retention.base import Retention
from memory.retention.keep_all import KeepAll
from memory.retention.vsb import BucketBy, VisionSinkBucketing

__all__ = ["BucketBy", "KeepAll", "Retention", "VisionSinkBucketing"]
