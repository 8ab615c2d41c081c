"""The caps of a vault, and holding them: whole segments go, oldest first; the newest never goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memory.archive.folder import ArchiveFolder
from memory.archive.rows import Storage
from memory.archive.segment import Segment
from memory.archive.series import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultOptions:
    """The sizes of a vault.

    segment_tokens: tokens of a segment, whole pages. host_bytes: most bytes of rows in memory, what is allocated ahead counted.
    disk_bytes: most bytes of all files. keep_s: how many seconds of UTC behind the newest token a segment stays; 0 is for ever.
    Caps hold for all but the newest segment. folder: where segments lie; without one they are in memory alone.
    """

    host_bytes: int
    disk_bytes: int
    page_tokens: int = 16
    segment_tokens: int = 4096
    keep_s: float = 0.0
    storage: Storage = "exact"
    folder: Path | None = None

    def __post_init__(self) -> None:
        assert self.page_tokens >= 1 and self.segment_tokens >= self.page_tokens, self
        assert self.segment_tokens % self.page_tokens == 0, self
        assert self.host_bytes >= 0 and self.disk_bytes >= 0 and self.keep_s >= 0, self


def hold_caps(series: Series, options: VaultOptions, folder: ArchiveFolder | None) -> None:
    """Let the oldest segments go, to the files or for good, until what is left is within the caps.

    What was set aside goes before anything that can be read. Raises what Segment.remove and Segment.spill raise.
    """
    newest = series.last
    if newest is None:
        return
    if folder and folder.broken_bytes and _over_disk(series, options, folder):
        folder.remove_broken()
    while series.older:
        oldest = series.older[0]
        over = _over_disk(series, options, folder) if folder else _over_host(series, options)
        if not over and not _expired(oldest, newest, options.keep_s):
            break
        oldest.remove()
        series.drop_first()
    while folder and series.older_in_memory and _over_host(series, options):
        series.spill_oldest()


def _over_disk(series: Series, options: VaultOptions, folder: ArchiveFolder | None) -> bool:
    return series.disk_bytes + (folder.broken_bytes if folder else 0) > options.disk_bytes


def _over_host(series: Series, options: VaultOptions) -> bool:
    return series.host_bytes > options.host_bytes


def _expired(oldest: Segment, newest: Segment, keep_s: float) -> bool:
    """Whether a segment ends longer ago than is kept, by each one's last token: a clock's passing jump does not count."""
    if keep_s == 0 or not len(newest):
        return False
    return bool(oldest.tokens["utc"][-1] < newest.tokens["utc"][-1] - keep_s)
