"""Every change that the archive makes to a disk, one function a kind of change.

They raise OSError. Paths that do not exist count as empty files.
"""

from __future__ import annotations

import os
from pathlib import Path


def size(path: Path) -> int:
    """Bytes of a file."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def write_at(path: Path, offset: int, data: bytes | memoryview) -> None:
    """Write all of the data at an offset; a new file is readable by its owner alone."""
    left = memoryview(data).cast("B")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while left:
            done = os.pwrite(file, left, offset)
            left, offset = left[done:], offset + done
    finally:
        os.close(file)


def read_at(path: Path, offset: int, length: int) -> bytes:
    """Bytes of a file, fewer where it ends."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def cut(path: Path, end: int) -> None:
    """Shorten a file that is longer."""
    if size(path) > end:
        os.truncate(path, end)


def rename(old: Path, new: Path) -> None:
    """Rename a file, over another one if need be."""
    old.replace(new)


def remove(path: Path) -> None:
    """Delete a file if there is one."""
    path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the entries of a folder, safely to the disk."""
    if not path.exists():
        return
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
