"""Resumption: a stream that was remembered goes on where it was: its frames are numbered on, and its time runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from livevlm.messages import AsOf
from streams import Frame

# A clock that was set back must not make stream time fall.
LEAST_S = 0.001


@dataclass(slots=True)
class Resumption:
    """The newest frame that was remembered, and how far this run's stream time is shifted: as the clock went on since."""

    after: AsOf | None = None
    _shift_s: float | None = None

    def shifted(self, frames: Sequence[Frame]) -> list[Frame]:
        """The frames in the time of the stream that is remembered."""
        if self.after is None:
            return list(frames)
        if self._shift_s is None:
            first = frames[0]
            gone_by = max(LEAST_S, first.captured_utc - self.after.utc)
            self._shift_s = self.after.stream_s + gone_by - first.pts_s
        return [replace(frame, pts_s=frame.pts_s + self._shift_s) for frame in frames]
