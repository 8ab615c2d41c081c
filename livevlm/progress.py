"""Progress: how far a recording was watched, kept beside what is remembered of it, so that it is watched once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from streams import Edition, Place

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to which frame a recording is remembered. edition: which recording. place: the frame's, in the recording. stream_s:
    its stream time in seconds. ended: whether nothing came behind it.
    """

    edition: Edition
    place: Place
    stream_s: float
    ended: bool = False

    @property
    def shift_s(self) -> float:
        """What is added to a time in the recording to get stream time."""
        return self.stream_s - self.place.pts_s

    def note(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)

    @classmethod
    def noted(cls, note: Mapping[str, Any] | None) -> Progress | None:
        """What was written down; None where that was nothing, or is of another kind."""
        if note is None:
            return None
        try:
            return cls(
                Edition(**note["edition"]), Place(**note["place"]), note["stream_s"], note["ended"]
            )
        except (KeyError, TypeError):
            return None

    def reaching(self, stream_s: float) -> Progress:
        """The same, where frames up to a later stream time are remembered: an archive may outlive the journal that is written
        with it, and what is in it is not to come twice.
        """
        if stream_s <= self.stream_s:
            return self
        ahead_s, place = stream_s - self.stream_s, self.place
        stamp_s = None if place.stamp_s is None else place.stamp_s + ahead_s
        return replace(
            self, place=Place(place.pts_s + ahead_s, stamp_s), stream_s=stream_s, ended=False
        )


def progress_in(
    stream: str, edition: Edition | None, note: Mapping[str, Any] | None, newest_s: float | None
) -> Progress | None:
    """How far a recording was watched of which this is kept; None where it is to be watched from its start.

    edition: the recording as it is now, None where there is none. newest_s: the stream time of the newest frame that is
    remembered; where all was forgotten, nothing was watched.
    """
    before = Progress.noted(note)
    if before is None or edition is None or newest_s is None:
        return None
    if edition.address != before.edition.address:
        logger.info(
            "stream %s: another recording than before; it is watched from its start", stream
        )
        return None
    if edition != before.edition:
        logger.info(
            "stream %s: the recording has changed since it was watched; it is watched from its start",
            stream,
        )
        return None
    progress = before.reaching(newest_s)
    if progress.place.pts_s < 0:
        return None  # It was begun with, and nothing of it is remembered.
    if progress.ended:
        logger.info("stream %s: it was watched to its end, and is not watched again", stream)
    else:
        logger.info("stream %s: it goes on behind %.1f s of it", stream, progress.place.pts_s)
    return progress
