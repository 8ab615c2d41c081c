"""The sampler: which pictures are looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sampler import Sampler


def kept(fps: float, stamps: list[float]) -> list[float]:
    sampler = Sampler(fps)
    return [stamp for stamp in stamps if sampler.keep(stamp)]


def test_one_picture_a_second_of_25() -> None:
    """The usual case: exactly one a second, the first included, without drift over hours."""
    stamps = [index / 25 for index in range(25 * 3600)]
    assert kept(1, stamps) == [float(second) for second in range(3600)]


def test_a_source_slower_than_the_rate_is_kept_whole() -> None:
    """Sampling never leaves out what there is no surplus of."""
    stamps = [0.0, 0.5, 1.0, 1.5, 9.0, 9.5]
    assert kept(10, stamps) == stamps


@pytest.mark.parametrize("source_fps", [10, 15, 24, 25, 30, 60])
def test_stamps_rounded_to_milliseconds_lose_nothing(source_fps: int) -> None:
    """Containers round stamps; sampling at the source's own rate still keeps every picture."""
    stamps = [round(index / source_fps, 3) for index in range(1000)]
    assert kept(source_fps, stamps) == stamps


def test_an_uneven_rate_keeps_its_average() -> None:
    """4 of 30 pictures a second: the grid does not drift by rounding up to the next picture each time."""
    assert len(kept(4, [index / 30 for index in range(30 * 100)])) == 400


def test_a_jump_back_starts_anew() -> None:
    """Where time falls, the next picture is kept and sampling goes on."""
    assert kept(1, [100.0, 100.5, 101.0, 3.0, 3.5, 4.0]) == [100.0, 101.0, 3.0, 4.0]


def test_a_gap_is_not_made_up_for() -> None:
    """After an hour without pictures there is no burst of kept ones."""
    assert kept(1, [0.0, 3600.2, 3600.4, 3600.6, 3601.0, 3601.2]) == [0.0, 3600.2, 3601.0]


@given(st.floats(0.05, 60), st.lists(st.floats(0.001, 20), min_size=1, max_size=200))
def test_never_more_than_asked_and_never_a_needless_hole(fps: float, steps: list[float]) -> None:
    """In any window there are at most fps pictures a second (and one), and a due picture is not left out."""
    stamps = [sum(steps[:count]) for count in range(len(steps) + 1)]
    chosen = kept(fps, stamps)
    assert chosen[0] == stamps[0]
    assert len(chosen) <= (stamps[-1] - stamps[0]) * fps * 1.001 + 2
    last = chosen[0]
    for stamp in stamps:
        assert stamp - last < 1 / fps or stamp in chosen
        last = stamp if stamp in chosen else last


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_none(fps: float) -> None:
    """A rate must be a positive number."""
    with pytest.raises(ValueError, match="fps"):
        Sampler(fps)
