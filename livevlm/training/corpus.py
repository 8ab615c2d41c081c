"""Corpus: what the bundled model's tokenizer is trained on."""

from __future__ import annotations

import numpy as np

from livevlm.training.past import NO_CLOCK, NOT_SEEN
from livevlm.training.present import NOT_IN_VIEW, NUMBERS, RELATIONS
from livevlm.training.questions import a, listed
from livevlm.training.wordings import SAID, draw_wording
from streams.scene import COLOURS, DIRECTIONS, KINDS, PAIRS, WORDS

# The parts of a time such as 0:12:05, a token each: so every time takes three tokens, whatever it is.
CLOCK = (
    *(f"{hour}:" for hour in range(10)),
    *(f"{minute:02d}:" for minute in range(60)),
    *(f"{second:02d}" for second in range(60)),
)


def corpus(wordings: int = 120) -> list[str]:
    """So many wordings of every type filled with things, and the words of the answers."""
    rng = np.random.default_rng(0)
    names = [f"{colour} {kind}" for kind, colour in PAIRS]
    places = [f"{row} {column}" for row in ("top", "bottom") for column in ("left", "right")]
    lines = [listed(names[start : start + 3]) for start in range(0, len(names), 3)]
    for type_ in SAID:
        for number in range(wordings):
            one, two = (names[place] for place in rng.integers(len(names), size=2))
            colour, kind = one.split(" ", 1)
            fields = {
                "c": ("colour", "color")[number % 2], "kind": kind, "hue": colour, "a": one, "b": two,
                "thing": a(one) if type_ in ("now_is", "past_did", "past_when") else one, "things": f"{kind}s",
                "place": f"at the {places[number % 4]}", "rel": list(RELATIONS)[number % 4],
                "first": ("first", "last", "earlier", "later")[number % 4], "next": ("after", "before")[number % 2],
            }  # fmt: skip
            text = draw_wording(rng, type_).format(**fields)
            lines.append(text[0].upper() + text[1:] if number % 3 else text)
    spoken = (
        "yes",
        "no",
        "things",
        "middle",
        "still",
        "at the",
        "nothing",
        NOT_IN_VIEW,
        NOT_SEEN,
        NO_CLOCK,
    )
    words = (*spoken, *NUMBERS, *DIRECTIONS, *RELATIONS, *places, *WORDS, *COLOURS, *KINDS)
    return lines + [text for word in words for text in (word, f"a {word}") for _ in range(10)]
