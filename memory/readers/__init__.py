"""Readers: which tokens of the memory a question gets to see. One method a file."""

from memory.readers.base import Choice, Reader, Shelf
from memory.readers.par import PositionAgnosticRetrieval
from memory.readers.read_all import ReadAll
from memory.readers.rekv import ReKV

__all__ = ["Choice", "PositionAgnosticRetrieval", "ReKV", "ReadAll", "Reader", "Shelf"]
