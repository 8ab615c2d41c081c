"""Time and numbers of one stream over the openings of its source."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.continuity import Continuity
from tests.streams.pictures import frame


def test_a_live_streams_time_goes_on_by_the_gap() -> None:
    """After 5 s without a picture, the next one is 5 s later."""
    continuity = Continuity()
    assert continuity.place(0.0, 100.0, live=True) == 0.0
    assert continuity.place(2.0, 102.0, live=True) == 2.0
    continuity.reopen()
    assert continuity.place(0.0, 107.0, live=True) == 7.0
    assert continuity.place(1.0, 108.0, live=True) == 8.0


def test_bursts_at_openings_do_not_add_up() -> None:
    """Each opening gives 3 s of pictures at once, then keeps pace: after a hundred the stream is still in step."""
    continuity, now_s = Continuity(), 0.0
    for _ in range(100):
        continuity.reopen()
        times = [continuity.place(pts, now_s, live=True) for pts in (0.0, 1.0, 2.0, 3.0)]
        now_s += 7.0
        times.append(continuity.place(10.0, now_s, live=True))
        now_s += 5.0
    assert now_s - 5.0 <= times[-1] <= now_s


def test_a_camera_whose_clock_runs_away_still_gets_the_gap() -> None:
    """It claims an hour in a minute; five seconds without it are five seconds, not an hour back or ahead."""
    continuity = Continuity()
    continuity.place(0.0, 0.0, live=True)
    continuity.place(3600.0, 60.0, live=True)
    continuity.reopen()
    assert continuity.place(0.0, 65.0, live=True) == 3605.0


def test_a_looped_recordings_time_goes_on_by_one_picture() -> None:
    """However long opening it again took."""
    continuity = Continuity()
    times = [continuity.place(pts, 0.0, live=False) for pts in (0.0, 0.5, 1.0)]
    continuity.reopen()
    times += [continuity.place(pts, 99.0, live=False) for pts in (0.0, 0.5)]
    assert times == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_frames_are_numbered_on() -> None:
    """A frame's number says how many pictures the stream had before it, over all openings."""
    continuity = Continuity()
    for count in range(3):
        continuity.place(float(count), float(count), live=True)
    continuity.reopen()
    continuity.place(0.0, 10.0, live=True)
    continuity.place(0.5, 10.5, live=True)
    moved = continuity.move(frame(1, 0.5))
    assert (moved.index, moved.pts_s) == (4, 10.5)


_OPENINGS = st.lists(st.lists(st.floats(0, 1e4), max_size=8), max_size=6)


@given(st.booleans(), _OPENINGS, st.randoms())
def test_time_never_falls(live: bool, openings: list[list[float]], random: object) -> None:
    """Over any number of openings, also where a clock stands still."""
    continuity, times, now_s = Continuity(), [], 0.0
    for opening in openings:
        continuity.reopen()
        for pts_s in sorted(opening):
            now_s += pts_s % 3
            times.append(continuity.place(pts_s - min(opening), now_s, live=live))
    assert times == sorted(times)
