"""Checks: what of an opened folder is not yet known to be what was written.

A start reads the logs and the newest segment; the rest, which may be gigabytes, is read when nothing else is to be done, or
before the first question, whichever comes first. What is found spoilt then is left out as it would have been at the start.
"""

from __future__ import annotations

from memory.archive.errors import ArchiveError
from memory.archive.folder import ArchiveFolder
from memory.archive.repair import Repair, Stored, checked
from memory.archive.segment import Segment
from memory.archive.series import Series


class Checks:
    """The segments of a series that nobody has checked since they were opened. repairs: what was not as it should be."""

    def __init__(self) -> None:
        self.repairs: tuple[Repair, ...] = ()
        self._waiting: list[tuple[Segment, Stored]] = []

    def load(self, folder: ArchiveFolder, series: Series, capacity: int) -> int:
        """Fill a series with what a folder holds; the newest segment gets room for so many tokens. Gives back the number of
        the token that is wanted next. Raises ArchiveError.
        """
        contents = folder.load()
        self.repairs = tuple(contents.repairs)
        for stored in contents.segments:
            newest = stored is contents.segments[-1]
            room = capacity if newest else len(stored.tokens)
            segment = Segment(series.row_shape, room, stored=stored)
            series.add(segment)
            if stored.unchecked:
                self._waiting.append((segment, stored))
        last = series.last
        behind = int(last.tokens["number"][-1]) + 1 if last is not None and len(last) else 0
        return max(contents.floor, behind)

    def next(self, folder: ArchiveFolder, series: Series) -> bool:
        """Check the newest segment that waits for it; False where none does. Where tokens were left out, the series' pages have
        new ids.
        """
        while self._waiting:
            segment, stored = self._waiting.pop()
            if segment in series.segments:
                try:
                    whole, repairs = checked(stored)
                except ArchiveError as error:
                    whole, repairs = None, [_set_aside(folder, stored, str(error))]
                self.repairs += tuple(repairs)
                if repairs:
                    self._replace(folder, series, segment, whole)
                return True
        return False

    def _replace(
        self, folder: ArchiveFolder, series: Series, segment: Segment, whole: Stored | None
    ) -> None:
        segments = list(series.segments)
        place, left = segments.index(segment), 0 if whole is None else len(whole.tokens)
        if whole is not None and left:
            segments[place] = Segment(series.row_shape, left, stored=whole)
        else:
            del segments[place]
        if whole is not None and not left:
            self.repairs += (_set_aside(folder, whole, "nothing of it can be read"),)
        series.replace(segments, anew=left < len(segment))


def _set_aside(folder: ArchiveFolder, stored: Stored, why: str) -> Repair:
    """Set a segment aside; where the disk lets nobody rename it, it is left out all the same."""
    try:
        return folder.set_aside(stored.files.name, why)
    except ArchiveError as error:
        return Repair(stored.files.path("log"), f"left out: {why}; and {error}")
