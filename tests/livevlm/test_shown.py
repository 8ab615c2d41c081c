"""The newest picture of a stream, with an archive and without, and where its tiers of memory lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from livevlm.messages import Forget, Forgotten, Look, Measure, Measured, Picture, TierSpan
from livevlm.vision import jpeg
from tests.livevlm.test_errands import do, engine, span
from tests.livevlm.tiny import frames

NEWEST = Look(stream="cam")


@pytest.mark.parametrize("archive", [True, False])
def test_the_newest_picture_is_shown_and_forgotten_with_its_frame(archive: bool) -> None:
    """It needs no archive; what was erased is not shown any more, be it only once."""
    made, _ = engine(archive=archive)
    seen = frames(20, size=(64, 64))
    assert do(made, NEWEST, Picture).jpeg == jpeg(seen[19].image)
    do(made, Forget(stream="cam", time=span(2, 5)), Forgotten)
    assert do(made, NEWEST, Picture).jpeg == jpeg(seen[19].image)
    do(made, Forget(stream="cam", time=span(19, 19)), Forgotten)
    assert do(made, NEWEST, Picture).jpeg == (jpeg(seen[18].image) if archive else None)
    do(made, Forget(stream="cam", time=None), Forgotten)
    assert do(made, NEWEST, Picture).jpeg is None


def test_what_an_earlier_life_saw_last_is_shown_until_there_is_more(tmp_path: Path) -> None:
    """After a restart a camera that is down still has its last picture."""
    made, _ = engine(state=tmp_path)
    made.close()
    again, _ = engine(state=tmp_path, count=0)
    assert do(again, NEWEST, Picture).jpeg == jpeg(frames(20, size=(64, 64))[19].image)
    again.close()


def test_a_stream_that_has_shown_nothing_has_no_picture_and_no_spans() -> None:
    """Not an error: it may be connecting."""
    made, _ = engine(count=0)
    assert do(made, NEWEST, Picture).jpeg is None
    (memory,) = do(made, Measure(), Measured).memories
    assert memory.spans == {}


def test_the_tiers_say_where_they_lie() -> None:
    """The newest frames, the older ones with how many tokens are left of them, and all of it in the archive."""
    made, _ = engine()
    (memory,) = do(made, Measure(), Measured).memories
    assert memory.spans["short"] == TierSpan(from_s=16, to_s=19)
    assert memory.spans["archive"] == TierSpan(from_s=0, to_s=19)
    long = memory.spans["long"]
    assert 0 <= long.from_s < long.to_s <= 15
    assert 1 < len(long.tokens) <= 16
    assert sum(long.tokens) == pytest.approx(memory.tokens["long"], abs=len(long.tokens) / 2)
    bare, _ = engine(archive=False)
    assert "archive" not in do(bare, Measure(), Measured).memories[0].spans
