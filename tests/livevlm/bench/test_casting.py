"""The cast of a long stream: who may be asked about, and who must stay away."""

from __future__ import annotations

import numpy as np
import pytest

from livevlm.bench.casting import MOST, draw_cast, sizes
from livevlm.training.pairing import SEEN
from streams.scene import SIGNS


@pytest.mark.parametrize("seed", range(8))
def test_no_distractor_makes_a_needle_ambiguous(seed: int) -> None:
    """Nothing else has a needle's kind, or colour, or, of signs, colour, where the question names only that; and the pairs
    asked about by yes or no are shown by their needle alone, or never.
    """
    cast = draw_cast(np.random.default_rng(seed), 4, SEEN)
    every = [pair for type_ in cast.needles.values() for pair in type_]

    def alone(pair: tuple[str, str], place: int, among: tuple[str, ...] = ()) -> bool:
        shown = [one for one in [*every, *cast.others] if not among or one[0] in among]
        return [one for one in shown if one[place] == pair[place]] == [pair]

    assert all(alone(pair, 0) for pair in cast.needles["past_colour"])
    assert all(alone(pair, 1) for pair in cast.needles["past_thing"])
    assert all(alone(pair, 1, SIGNS) for pair in cast.needles["past_sign"])
    assert len(set(every) | set(cast.absent)) == len(every) + len(cast.absent)
    assert not (set(every) | set(cast.absent)) & set(cast.others)
    assert set(every) | set(cast.absent) | set(cast.others) <= set(SEEN)


@pytest.mark.parametrize("seed", range(8))
def test_neither_part_of_a_name_gives_yes_or_no_away(seed: int) -> None:
    """Kind and colour of what is asked about by yes or no are both shown in other pairs, whether the answer is yes or no."""
    cast = draw_cast(np.random.default_rng(seed), 4, SEEN)
    kinds, colours = ({pair[place] for pair in cast.others} for place in (0, 1))
    asked = [*cast.needles["past_did"], *cast.absent]
    assert len(cast.absent) == len(cast.needles["past_did"])
    assert all(kind in kinds and colour in colours for kind, colour in asked)


def test_there_are_as_many_needles_as_questions_up_to_what_can_be_spared() -> None:
    """One more for order, which takes two; never so many that no distractors are left."""
    assert sizes(2) == {"past_colour": 2, "past_thing": 2, "past_sign": 2, "past_did": 3}
    assert sizes(99) == MOST
    cast = draw_cast(np.random.default_rng(0), 99, SEEN)
    assert {type_: len(pairs) for type_, pairs in cast.needles.items()} == MOST
    assert len(cast.others) > 60
