"""Viewing: where the reading of a recording begins, and whether it came to the end."""

from __future__ import annotations

from streams.place import Place
from streams.sampler import Sampler


class Viewing:
    """behind: the place behind which it begins, None at the start. over: whether there is nothing behind it, so that it need
    not even be opened. finished: whether it was read to its end, and all its frames are in the mailbox.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.behind: Place | None = None
        self.over = self.finished = False

    def go_on(self, place: Place, over: bool) -> None:
        """Begin behind this place. Before the reader is started."""
        self.behind, self.over = place, over
        # The frames are those that would have come without a break: the grid begins at 0, and the place was on it.
        for pts_s in (0.0, place.pts_s):
            self._sampler.keep(pts_s)
