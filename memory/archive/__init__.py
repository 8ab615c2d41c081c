"""The archive: everything that a stream has shown, at rest in memory and in files."""

from memory.archive.caps import VaultOptions
from memory.archive.errors import (
    ArchiveError,
    ArchiveFailed,
    ArchiveFull,
    ArchiveReadOnly,
    ForeignArchive,
)
from memory.archive.record import Format
from memory.archive.repair import Repair
from memory.archive.rows import RowCodec, Storage
from memory.archive.segment import Segment
from memory.archive.vault import Archived, Vault, VaultStats

__all__ = [
    "ArchiveError",
    "ArchiveFailed",
    "ArchiveFull",
    "ArchiveReadOnly",
    "Archived",
    "ForeignArchive",
    "Format",
    "Repair",
    "RowCodec",
    "Segment",
    "Storage",
    "Vault",
    "VaultOptions",
    "VaultStats",
]
