"""Resumption: a stream that was remembered goes on where it was: its frames are numbered on, and its time runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from livevlm.messages import AsOf
from livevlm.progress import Progress
from streams import Edition, Frame, Place

# A clock that was set back must not make stream time fall.
LEAST_S = 0.001
# A place before a recording's first picture, whose time is 0.
BEFORE_S = 1.0


@dataclass(slots=True)
class Resumption:
    """after: the newest frame that was remembered. edition: the recording that is watched, if it is one that can be gone on
    with. progress: how far it was watched; if it was not, this run's stream time goes on as the clock did since.
    """

    after: AsOf | None = None
    edition: Edition | None = None
    progress: Progress | None = None
    _shift_s: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.progress is not None:
            # A film has no standstill: the time of its stream is its own, whenever it is watched.
            self._shift_s = self.progress.shift_s

    def shifted(self, frames: Sequence[Frame]) -> list[Frame]:
        """The frames in the time of the stream that is remembered."""
        if self._shift_s is None:
            self._shift_s = self._begun(frames[0])
        return [replace(frame, pts_s=frame.pts_s + self._shift_s) for frame in frames]

    def beginning(self, first: Frame) -> Mapping[str, Any] | None:
        """What is to be noted before this frame, which was shifted and is a recording's first, is remembered: whatever is found
        behind it in a memory whose later notes were lost is of this recording.
        """
        if self.edition is None or self._shift_s is None:
            return None
        before = Place(first.pts_s - self._shift_s - BEFORE_S)
        return Progress(self.edition, before, first.pts_s - BEFORE_S).note()

    def remembered(self, newest: Frame) -> Mapping[str, Any] | None:
        """What is to be noted when all frames up to this one, which was shifted, are remembered."""
        if self.edition is None or self._shift_s is None:
            return None
        place = Place(newest.pts_s - self._shift_s, newest.stamp_s)
        self.progress = Progress(self.edition, place, newest.pts_s)
        return self.progress.note()

    def finished(self) -> Mapping[str, Any] | None:
        """What is to be noted when the recording was read to its end; None where nothing of it is remembered."""
        if self.progress is None:
            return None
        self.progress = replace(self.progress, ended=True)
        return self.progress.note()

    def _begun(self, first: Frame) -> float:
        if self.after is None:
            return 0.0
        gone_by = max(LEAST_S, first.captured_utc - self.after.utc)
        return self.after.stream_s + gone_by - first.pts_s
