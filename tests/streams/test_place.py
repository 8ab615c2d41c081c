"""Places in recordings: which are reached, which can be sought, and which seeks are believed."""

from __future__ import annotations

import pytest

from streams.place import Approach, Astray, Place, Ruler, first_behind, reached


def test_a_picture_is_behind_a_place_only_if_its_time_is_later() -> None:
    """However its time was computed: a rounding error makes no picture come twice."""
    assert reached(None, 0.0)
    assert not reached(Place(0.3), 0.1 + 0.2)
    assert not reached(Place(0.3), 0.2)
    assert reached(Place(0.3), 0.301)


@pytest.mark.parametrize("fps", [0.7, 1.0, 3.0, 10.0, 29.97])
def test_pictures_at_a_rate_go_on_with_the_next_one(fps: float) -> None:
    """None is left out and none comes twice, whatever the rate."""
    assert first_behind(None, fps) == 0
    assert [first_behind(Place(index / fps), fps) for index in range(200)] == list(range(1, 201))


def test_an_approach_passes_over_what_comes_before() -> None:
    """From the keyframe to the place itself; what follows is behind it."""
    approach = Approach(2.0)
    assert [approach.behind(stamp_s) for stamp_s in (1.5, 1.96, 2.0, 2.04, 2.08)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    approach.end()


@pytest.mark.parametrize("stamps", [[2.04], [1.96, 2.04], [None], []])
def test_a_seek_that_did_not_meet_its_place_is_not_believed(stamps: list[float | None]) -> None:
    """It led behind the place, or to another part of the recording: something would be missing, or come twice."""
    approach = Approach(2.0)

    def go() -> None:
        for stamp_s in stamps:
            approach.behind(stamp_s)
        approach.end()

    with pytest.raises(Astray):
        go()
    assert not approach.arrived


def test_a_stamp_is_worth_seeking_while_it_runs_with_the_stream() -> None:
    """After a jump, or a picture without one, a stamp no longer says where in the recording it is."""
    ruler = Ruler()
    assert [ruler.stamp(pts_s, pts_s + 7.0) for pts_s in (0.0, 0.04, 9.0)] == [7.0, 7.04, 16.0]
    assert ruler.stamp(9.04, 3.0) is None
    assert ruler.stamp(9.08, 16.08) is None
    ruler = Ruler((5.0, 12.0))
    assert ruler.stamp(5.04, 12.04) == 12.04
    assert ruler.stamp(6.0, None) is None
    assert ruler.stamp(7.0, 14.0) is None
