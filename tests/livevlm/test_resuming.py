"""A stream that goes on after a restart: its time never falls, and the hours in between are counted."""

from __future__ import annotations

import numpy as np

from livevlm.messages import AsOf
from livevlm.resuming import Resumption
from streams import Frame


def frame(pts_s: float, utc: float) -> Frame:
    """A black frame."""
    return Frame("one", 0, pts_s, utc, np.zeros((2, 2, 3), np.uint8))


def test_a_new_stream_keeps_its_time() -> None:
    """Nothing was remembered: nothing is shifted."""
    assert [one.pts_s for one in Resumption().shifted([frame(3.0, 9.0)])] == [3.0]


def test_time_goes_on_as_the_clock_did() -> None:
    """An hour of standstill is an hour of stream; later frames are shifted as the first one was."""
    resumption = Resumption(AsOf(stream_s=100.0, utc=5000.0))
    assert [one.pts_s for one in resumption.shifted([frame(2.0, 8600.0), frame(3.0, 8601.0)])] == [
        3700.0,
        3701.0,
    ]
    assert resumption.shifted([frame(7.0, 9999.0)])[0].pts_s == 3705.0


def test_a_clock_that_was_set_back_makes_no_time_fall() -> None:
    """Stream time rises whatever the clock says."""
    resumption = Resumption(AsOf(stream_s=100.0, utc=5000.0))
    assert 100.0 < resumption.shifted([frame(0.0, 10.0)])[0].pts_s < 100.1
