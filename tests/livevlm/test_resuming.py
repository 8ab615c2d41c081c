"""A stream that goes on after a restart: its time never falls, and the hours in between are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from livevlm.messages import AsOf
from livevlm.progress import Progress
from livevlm.resuming import Resumption
from streams import Edition, Frame, Place


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


FILM = Edition("/films/a.mp4", "7 bytes of 1")


def test_a_recording_has_no_standstill() -> None:
    """Gone on with an hour later its stream time is what it would have been without a break."""
    progress = Progress(FILM, Place(4.0, 9.0), stream_s=104.0)
    resumption = Resumption(AsOf(stream_s=104.0, utc=5000.0), FILM, progress)
    (shown,) = resumption.shifted([frame(5.0, 8600.0)])
    assert shown.pts_s == 105.0
    assert resumption.remembered(shown) == Progress(FILM, Place(5.0, None), 105.0).note()


def test_what_is_noted_is_the_frame_s_own_place() -> None:
    """Its time and stamp in the recording, whatever the stream's time; and of a camera nothing is noted."""
    resumption = Resumption(AsOf(stream_s=100.0, utc=5000.0), FILM)
    (shown,) = resumption.shifted([replace(frame(0.5, 5001.0), stamp_s=3.5)])
    assert resumption.finished() is None
    assert resumption.remembered(shown) == Progress(FILM, Place(0.5, 3.5), 101.0).note()
    assert resumption.finished() == Progress(FILM, Place(0.5, 3.5), 101.0, ended=True).note()
    camera = Resumption(AsOf(stream_s=100.0, utc=5000.0))
    assert camera.remembered(camera.shifted([frame(0.5, 5001.0)])[0]) is None
