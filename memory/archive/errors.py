"""The errors of the archive. Each names the path and the way out.

ArchiveError
├── ArchiveFull        no room is left where the archive lies
├── ArchiveReadOnly    the archive's folder may not be written
├── ArchiveFailed      reading or writing failed otherwise
└── ForeignArchive     the folder holds the memory of another model or another format
"""

from __future__ import annotations

import errno
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class ArchiveError(Exception):
    """The archive cannot do what was asked; what it held before it still holds."""


class ArchiveFull(ArchiveError):
    """No room is left where the archive lies. Appending works again once there is."""


class ArchiveReadOnly(ArchiveError):
    """The archive's folder may not be written."""


class ArchiveFailed(ArchiveError):
    """Reading or writing the archive failed otherwise, for example because the disk is broken."""


class ForeignArchive(ArchiveError):
    """The folder holds the memory of another model or another format."""


def explained(error: OSError, path: Path) -> ArchiveError:
    """What an operating system's error about a path means for the archive."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return ArchiveFull(
            f"no room for the archive at {path} ({reason}): free some space or lower the cap on its bytes"
        )
    if error.errno in _READ_ONLY:
        return ArchiveReadOnly(
            f"the archive at {path} cannot be written ({reason}): make it writable or name another folder"
        )
    return ArchiveFailed(f"the archive at {path} failed ({reason}): check the disk that it lies on")
