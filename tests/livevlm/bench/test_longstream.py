"""Long streams: what they show, and that every question about them has one answer, the one that is given."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from livevlm.bench.longstream import NOW_TYPES, Asked, LongStream, Plan, draw_stream
from livevlm.errors import ConfigError
from livevlm.training.pairing import SEEN
from livevlm.training.questions import Footage
from livevlm.training.wordings import TYPES
from tests.livevlm.training.oracle import answers

PLAN = Plan(minutes=7, fps=0.25, distances=(1, 4), questions=2, side=24, stamped=True)
SEEDS = (0, 1)


@cache
def stream(seed: int, plan: Plan = PLAN) -> LongStream:
    """Filmed once a test run."""
    return draw_stream(np.random.default_rng(seed), plan, SEEN)


def until(footage: Footage, frame: int) -> Footage:
    """What has been shown when the frame is the newest."""
    return replace(
        footage,
        views=footage.views[: frame + 1],
        shots=footage.shots[: frame + 1],
        stamps=footage.stamps and footage.stamps[: frame + 1],
    )


def past(one: LongStream) -> list[Asked]:
    """The questions about needles."""
    return [asked for asked in one.asked if asked.minutes is not None]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_question_has_one_answer_which_the_footage_gives(seed: int) -> None:
    """An oracle that knows the words and what was shown until then, and nothing else, comes to the same answer and no other."""
    made = stream(seed)
    for one in made.asked:
        found = answers(one.exchange.type, one.exchange.question, until(made.footage, one.at))
        assert found == {one.exchange.answer}, one


@pytest.mark.parametrize("seed", SEEDS)
def test_needles_are_asked_about_at_the_distance_that_is_said(seed: int) -> None:
    """From the last frame that shows the needle, of two the later, to the newest one; all distances occur, in order."""
    made = stream(seed)
    for one in past(made):
        if one.exchange.frames:
            minutes = (made.seconds(one.at) - made.seconds(one.exchange.frames[-1])) / 60
            assert minutes == pytest.approx(one.minutes)
    assert {one.minutes for one in past(made)} == {1, 4}
    assert [one.at for one in made.asked] == sorted(one.at for one in made.asked)
    assert max(one.at for one in made.asked) < len(made.shown) == PLAN.frames


@pytest.mark.parametrize("seed", SEEDS)
def test_a_needle_is_shown_once_and_briefly_and_what_is_denied_never(seed: int) -> None:
    """In the whole stream: the frames of a "yes" are all that show the pair, three at most in a row; a "no" is never in view,
    not even by half. There are as many of each at every distance.
    """
    made = stream(seed)
    said: Counter[tuple[float | None, str]] = Counter()
    for one in past(made):
        if one.exchange.type != "past_did":
            continue
        words = one.exchange.question.lower()
        shown = [
            number
            for number, view in enumerate(made.footage.views)
            for kind, colour in [*(thing.pair for thing in view.things), *view.vague]
            if f"{colour} {kind}" in words
        ]
        assert tuple(dict.fromkeys(shown)) == one.exchange.frames
        assert len(one.exchange.frames) <= 3
        assert (one.exchange.answer == "yes") == bool(shown)
        said[one.minutes, one.exchange.answer] += 1
    assert {said[minutes, "yes"] - said[minutes, "no"] for minutes in (1, 4)} == {0}
    assert said[1, "yes"] > 1


def test_all_types_are_asked_and_when_only_if_there_is_a_clock() -> None:
    """Without the time in front of frames nobody can know when; everything else is asked all the same."""
    types = {one.exchange.type for one in stream(0).asked}
    assert types == {
        "past_colour", "past_thing", "past_sign", "past_did", "past_first", "past_when", *NOW_TYPES
    }  # fmt: skip
    assert types <= set(TYPES)
    plain = stream(0, replace(PLAN, stamped=False))
    assert {one.exchange.type for one in plain.asked} == types - {"past_when"}
    assert plain.footage.stamps is None


def test_a_stream_follows_from_its_seed() -> None:
    """Questions, shots and pictures are the same each time, and others with another seed."""
    again = draw_stream(np.random.default_rng(0), PLAN, SEEN)
    assert again.asked == stream(0).asked
    assert again.shown == stream(0).shown
    pairs = zip(again.pictures, stream(0).pictures, strict=True)
    assert all((one == other).all() for one, other in pairs)
    assert stream(1).asked != stream(0).asked


def test_frames_show_what_the_footage_says_a_frame_apart() -> None:
    """One picture a frame, its stream time by the frame rate; distractors fill most of it."""
    made = stream(0)
    frames = list(made.frames("long"))
    assert [frame.pts_s for frame in frames] == [4.0 * number for number in range(PLAN.frames)]
    assert all(frame.image.shape == (24, 24, 3) for frame in frames)
    needles = {number for one in past(made) for number in one.exchange.frames}
    assert len(needles) < len(frames) / 3
    shots = made.footage.shots
    assert all(0 <= after - before <= 1 for before, after in pairwise(shots))


def test_what_is_too_short_to_ask_about_is_refused() -> None:
    """Half a minute has nothing that is a minute old."""
    with pytest.raises(ConfigError, match="set a longer --minutes"):
        draw_stream(np.random.default_rng(0), replace(PLAN, minutes=0.5), SEEN)
