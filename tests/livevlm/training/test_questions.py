"""Questions with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livevlm.training.questions import NOT_IN_VIEW, NOT_SEEN, TYPES, WORDINGS, View, draw_exchange
from streams.scene import COLOURS, DIGITS, KINDS, SHAPES

PAIRS = st.tuples(st.sampled_from(KINDS), st.sampled_from(sorted(COLOURS)))
VIEWS = st.lists(
    st.lists(
        PAIRS, min_size=1, max_size=2, unique_by=(lambda pair: pair[0], lambda pair: pair[1])
    ).map(tuple),
    min_size=1,
    max_size=6,
)


def true(views: list[View], type_: str, question: str, answer: str) -> bool:
    """Whether the answer is true, worked out from the words of the question alone."""
    words = question.lower().replace("?", " ").replace(".", " ").split()
    asked = [view for view in views] if type_.startswith("past") else views[-1:]
    pairs = {pair for view in asked for pair in view}
    kinds, hues = (
        [word for word in words if word in KINDS],
        [word for word in words if word in COLOURS],
    )
    if type_ in ("now_colour", "past_colour"):
        found = {colour for kind, colour in pairs if kind == kinds[0]}
        return found == {answer} or (not found and answer in (NOT_IN_VIEW, NOT_SEEN))
    if type_ in ("now_thing", "past_thing"):
        found = {kind for kind, colour in pairs if colour == hues[0]}
        return found == {answer} or (not found and answer in (NOT_IN_VIEW, NOT_SEEN))
    if type_ in ("now_is", "past_did"):
        there = any(kind == kinds[0] and (not hues or colour == hues[0]) for kind, colour in pairs)
        return answer == ("yes" if there else "no")
    if type_ == "now_describe":
        return all(f"a {colour} {kind}" in answer for kind, colour in pairs)
    among = SHAPES if type_ == "now_shape" else DIGITS
    return [kind for kind, _ in pairs if kind in among] == [answer]


@pytest.mark.parametrize("type_", TYPES)
@given(views=VIEWS, seed=st.integers(0, 1000), held_out=st.booleans())
def test_every_answer_is_true(type_: str, views: list[View], seed: int, held_out: bool) -> None:
    """Read back from its own words, each question has the answer that it is given."""
    drawn = draw_exchange(np.random.default_rng(seed), views, type_, held_out=held_out)
    if drawn is not None:
        assert true(views, type_, drawn.question, drawn.answer), (views, drawn)


def test_held_out_wordings_never_appear_in_training() -> None:
    """The last wording of each type is evaluation's alone."""
    rng = np.random.default_rng(0)
    views: list[View] = [(("star", "red"), ("7", "blue"))]
    for type_, wordings in WORDINGS.items():
        kept = wordings[-1].split("{")[0].lower()
        asked = {
            drawn.question.lower()
            for _ in range(200)
            if (drawn := draw_exchange(rng, views, type_))
        }
        assert len(set(wordings)) == len(wordings)
        fields = {"colour": "colour", "kind": "star", "hue": "red", "thing": "star"}
        assert wordings[-1].format(**fields) not in asked, kept
