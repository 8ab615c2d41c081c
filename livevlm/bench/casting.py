"""Casting: which (kind, colour) pairs are the needles of a long stream, which are never shown, and which fill the rest.

What makes a question have one answer is decided here, before anything is filmed:

- past_colour: the needle's kind is shown in no other colour; kinds are shapes and digits;
- past_thing: the needle's colour is the colour of nothing else;
- past_sign: no other sign has the needle's colour; other things have it;
- past_did, past_first, past_when: the pair alone is shown once. Its kind is shown in other colours, and its colour on other
  things, and the same holds for the pairs that are never shown: neither of the two parts of a name gives a yes or no away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streams.scene import COLOURS, DIGITS, SHAPES, SIGNS
from streams.staging import Pair

Rng = np.random.Generator
# Most needles of a type: so many kinds or colours can be spared, and the rest still makes scenes.
MOST = {"past_colour": 8, "past_thing": 3, "past_sign": 4, "past_did": 13}


@dataclass(frozen=True, slots=True)
class Cast:
    """needles: by the type of question that they are there for; those of past_did serve past_first and past_when too.
    absent: as many as there are needles of past_did. others: what distractors are drawn from.
    """

    needles: Mapping[str, Sequence[Pair]]
    absent: Sequence[Pair]
    others: Sequence[Pair]


def sizes(count: int) -> dict[str, int]:
    """How many needles of each type a stream has that is to give `count` questions of each: order needs one more."""
    wanted = {"past_colour": count, "past_thing": count, "past_sign": count, "past_did": count + 1}
    return {name: min(most, wanted[name]) for name, most in MOST.items()}


def draw_cast(rng: Rng, count: int, pairs: Sequence[Pair]) -> Cast:
    """Needles for `count` questions of each type, as far as `MOST` allows, out of the pairs."""
    number = sizes(count)
    hues = rng.permutation(list(COLOURS)).tolist()
    lone, of_signs = hues[: number["past_thing"]], hues[-number["past_sign"] :]
    kinds = rng.permutation(SHAPES + DIGITS).tolist()
    own = kinds[: number["past_colour"]]

    def one(kinds: Sequence[str], colours: Sequence[str]) -> Pair:
        fitting = [pair for pair in pairs if pair[0] in kinds and pair[1] in colours]
        return fitting[int(rng.integers(len(fitting)))]

    common = [
        (kind, colour)
        for kind, colour in pairs
        if kind not in own and colour not in lone and not (kind in SIGNS and colour in of_signs)
    ]
    order = rng.permutation(len(common))[: 2 * number["past_did"]]
    special = [common[place] for place in order]
    shown, absent = special[: number["past_did"]], special[number["past_did"] :]
    needles = {
        "past_colour": [one([kind], hues[len(lone) :]) for kind in own],
        "past_thing": [one(kinds[len(own) :], [hue]) for hue in lone],
        "past_sign": [one(SIGNS, [hue]) for hue in of_signs],
        "past_did": shown,
    }
    return Cast(needles, absent, [pair for pair in common if pair not in special])
