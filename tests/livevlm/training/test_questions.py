"""Questions with known answers: an oracle that knows only their words and the footage must come to the same answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from livevlm.training.past import PAST
from livevlm.training.present import NOW
from livevlm.training.questions import Exchange, Footage, a, draw_exchange, fits, listed
from livevlm.training.reels import ASKABLE
from livevlm.training.views import Thing, View
from livevlm.training.wordings import SAID, UNSAID
from streams.scene import COLOURS, KINDS
from tests.livevlm.training.making import drawn_footage, wild_footage
from tests.livevlm.training.oracle import answers, subject_frames, with_article

# The types that answer in one of these ways where there is nothing to be told.
REFUSING = {
    "now_colour": "not in view", "now_sign": "not in view", "now_thing": "not in view", "now_where": "not in view",
    "now_is": "no", "now_relation": "no", "now_at": "nothing", "now_count": "none",
    "past_colour": "not seen", "past_thing": "not seen", "past_sign": "not seen", "past_did": "no", "past_when": "not seen",
}  # fmt: skip


@cache
def footages() -> list[Footage]:
    """Streams of drawn scenes."""
    return [drawn_footage(np.random.default_rng((1, seed))) for seed in range(240)]


@cache
def wild() -> list[Footage]:
    """Streams of anything anywhere."""
    return [wild_footage(np.random.default_rng((2, seed))) for seed in range(240)]


def asked(type_: str, footages: list[Footage], each: int = 4) -> list[tuple[Footage, Exchange]]:
    """Questions of a type about them, half of them in held-out wordings."""
    found = []
    for number, footage in enumerate(footages):
        rng = np.random.default_rng((3, number))
        for time in range(each):
            exchange = draw_exchange(rng, footage, type_, ASKABLE[type_], unsaid=time % 2 > 0)
            if exchange is not None:
                found.append((footage, exchange))
    return found


@pytest.mark.parametrize("type_", ASKABLE)
def test_every_answer_is_true_and_the_only_one(type_: str) -> None:
    """Worked out from its words alone, each question about drawn scenes has one answer: the one that it is given."""
    found = asked(type_, footages())
    assert len(found) > 60
    for footage, exchange in found:
        assert answers(type_, exchange.question, footage) == {exchange.answer}, (exchange, footage)
    told = Counter(exchange.answer for _, exchange in found)
    assert len(told) >= 2
    assert type_ not in REFUSING or told[REFUSING[type_]] > 3
    assert type_ != "past_when" or told["I do not know"] > 3


@pytest.mark.parametrize("type_", ASKABLE)
def test_no_stream_leads_to_an_ambiguous_question(type_: str) -> None:
    """The same holds where things are strewn at random, come and go with every frame, and are half in view."""
    for footage, exchange in asked(type_, wild()):
        assert answers(type_, exchange.question, footage) == {exchange.answer}, (exchange, footage)


@pytest.mark.parametrize("type_", NOW)
def test_what_is_asked_of_now_is_held_by_the_last_frames(type_: str) -> None:
    """The last frame alone gives the answer; which way a thing goes, the last three."""
    for footage, exchange in asked(type_, footages(), each=2):
        count = len(footage.views)
        length = 3 if type_ == "now_moving" else 1
        assert exchange.frames == tuple(range(count - length, count))
        short = Footage(footage.views[-length:], footage.shots[-length:])
        assert answers(type_, exchange.question, short) == {exchange.answer}


@pytest.mark.parametrize("type_", PAST)
def test_the_frames_named_hold_the_answer(type_: str) -> None:
    """They are all the frames that show what is asked about, and by themselves they give the answer; none are named where
    nothing was seen.
    """
    for footage, exchange in asked(type_, footages()):
        subject = subject_frames(type_, exchange.question, footage)
        assert sorted(set(exchange.frames)) == sorted(exchange.frames) or type_ == "past_first"
        if exchange.answer in ("not seen", "no"):
            assert not subject
            assert exchange.frames == ()
            continue
        assert subject <= set(exchange.frames)
        assert subject == set(exchange.frames) or type_ == "past_next"
        kept = sorted(exchange.frames)
        alone = Footage(
            [footage.views[number] for number in kept],
            [footage.shots[number] for number in kept],
            footage.stamps and [footage.stamps[number] for number in kept],
        )
        assert answers(type_, exchange.question, alone) == {exchange.answer}


def test_what_came_next_is_held_by_the_shots_on_both_sides() -> None:
    """Beside the frames of the thing itself, all frames of the neighbouring shot, and no others."""
    for footage, exchange in asked("past_next", footages()):
        subject = subject_frames("past_next", exchange.question, footage)
        others = set(exchange.frames) - subject
        (shot,) = {footage.shots[number] for number in others}
        assert others == {n for n, one in enumerate(footage.shots) if one == shot}


def test_questions_are_said_in_more_than_one_way() -> None:
    """Small and capital letters, with and without a mark at the end, "colour" and "color"; a name with its colour or not."""
    said = [exchange.question for _, exchange in asked("past_colour", footages())]
    assert {question[0].isupper() for question in said} == {True, False}
    assert {question[-1] in "?." for question in said} == {True, False}
    assert any("colour" in question for question in said)
    assert any("color " in question for question in said)
    names = [fits(("star", "red"), name) for name in ("star", "red star", "blue star", "red")]
    assert names == [True, True, False, False]


@pytest.mark.parametrize("type_", ASKABLE)
@pytest.mark.parametrize("unsaid", [False, True])
def test_nothing_is_left_open(type_: str, unsaid: bool) -> None:
    """Every field and every choice of every wording of a type gets filled."""
    assert set(ASKABLE) == set(SAID) == set(UNSAID)
    said = set()
    for seed, footage in enumerate(footages()):
        rng = np.random.default_rng(seed)
        exchange = draw_exchange(rng, footage, type_, ASKABLE[type_], unsaid)
        if exchange is not None:
            assert exchange.type == type_
            assert not set(exchange.question + exchange.answer) & set("{}[]|")
            assert exchange.question == " ".join(exchange.question.split())
            said.add(exchange.question)
    assert len(said) > 5


def test_articles_and_lists() -> None:
    """ "an" where it is spoken so; commas, and one "and"."""
    for name in (*KINDS, *(f"{colour} star" for colour in COLOURS)):
        assert a(name) == with_article(name)
    assert listed([]) == "nothing"
    assert listed(["red star"]) == "a red star"
    assert listed(["red star", "8", "blue 7"]) == "a red star, an 8 and a blue 7"


def test_where_nothing_can_be_told_nothing_is_asked() -> None:
    """An empty view has no digit, no count and no places; and a single frame no motion, no order."""
    rng, shown = np.random.default_rng(0), footages()[0]
    empty = Footage([replace(shown.views[0], things=(), vague=())], [0])
    for type_ in ("now_digit", "now_shape", "now_count", "now_at", "now_beside", "now_relation"):
        drawn = [draw_exchange(rng, empty, type_, ASKABLE[type_], False) for _ in range(20)]
        assert drawn == [None] * 20
    single = Footage(shown.views[:1], shown.shots[:1])
    for type_ in ("now_moving", "past_first", "past_next"):
        drawn = [draw_exchange(rng, single, type_, ASKABLE[type_], False) for _ in range(20)]
        assert drawn == [None] * 20


def test_training_never_names_what_it_never_shows() -> None:
    """Were a pair named that no picture shows, "no" would always be right, and be learnt."""
    rng = np.random.default_rng(3)
    few = frozenset({("star", "red"), ("star", "blue"), ("7", "red")})
    shown = View((Thing("star", "red", 0.5, 0.5),))
    footage = Footage([shown], [0], None, few)
    names = set()
    for _ in range(200):
        for type_ in ("now_is", "past_did", "past_when"):
            drawn = ASKABLE[type_](rng, footage)
            if drawn is not None and " " in drawn.fields["thing"].split(" ", 1)[1]:
                names.add(drawn.fields["thing"].split(" ", 1)[1])
    assert "blue star" in names
    assert names <= {f"{colour} {kind}" for kind, colour in few}
