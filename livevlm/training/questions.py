"""Questions with known answers about a stream of known content: those in the present tense are about its last frames.

An exchange names the frames that hold its answer, so that training knows what recall has to find.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from livevlm.training.views import View
from livevlm.training.wordings import draw_wording
from streams.scene import COLOURS, KINDS, PAIRS
from streams.staging import Pair

Rng = np.random.Generator
ANY = frozenset(PAIRS)


@dataclass(frozen=True, slots=True)
class Footage:
    """A stream: per frame its view, the number of its shot, and the text of its time, if the stream has any.

    pairs: the (kind, colour) pairs that a question may name though the stream does not show them. Training must not name
    those that it never shows: to all such questions the answer would be no.
    """

    views: Sequence[View]
    shots: Sequence[int]
    stamps: Sequence[str] | None = None
    pairs: Collection[Pair] = ANY

    def __post_init__(self) -> None:
        assert self.views and len(self.views) == len(self.shots)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, the type it is counted under, the frames that hold the answer (none: all of them do), and
    its clue: the frames to look at while answering, where answers alone hardly teach which they are.
    """

    type: str
    question: str
    answer: str
    frames: tuple[int, ...] = ()
    clue: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What fills a wording, the answer, where it is, and its clue."""

    fields: dict[str, str]
    answer: str
    frames: tuple[int, ...] = ()
    clue: tuple[int, ...] = ()


def draw_exchange(
    rng: Rng,
    footage: Footage,
    type_: str,
    draw: Callable[[Rng, Footage], Drawn | None],
    unsaid: bool,
    more: bool = False,
) -> Exchange | None:
    """A question of the type about the stream, or None where the stream gives no unambiguous one.

    unsaid, more: of which wordings, see `livevlm.training.wordings`.
    """
    drawn = draw(rng, footage)
    if drawn is None:
        return None
    fields = {"c": "colour" if rng.random() < 0.5 else "color", **drawn.fields}
    question = draw_wording(rng, type_, unsaid=unsaid, more=more).format(**fields)
    if rng.random() < 0.7:
        question = question[0].upper() + question[1:]
    if rng.random() < 0.1:
        question = question.rstrip("?.")
    return Exchange(type_, question, drawn.answer, drawn.frames, drawn.clue)


def pick(rng: Rng, items: Sequence[str]) -> str:
    """One of them."""
    return items[int(rng.integers(len(items)))]


def a(name: str) -> str:
    """The name with its article."""
    return f"an {name}" if name[0] in "aeio8" else f"a {name}"


def listed(names: Sequence[str]) -> str:
    """ "a red star, a blue 7 and an orange heart"."""
    said = [a(name) for name in names]
    if not said:
        return "nothing"
    return said[0] if len(said) == 1 else ", ".join(said[:-1]) + " and " + said[-1]


def last(footage: Footage) -> tuple[int, ...]:
    """The last frame."""
    return (len(footage.views) - 1,)


def asked_thing(rng: Rng, pair: Pair) -> str:
    """A pair as a question names it: with its colour, or without."""
    kind, colour = pair
    return f"{colour} {kind}" if rng.random() < 0.65 else kind


def fits(pair: Pair, name: str) -> bool:
    """Whether a pair is what a question names."""
    return name in (pair[0], f"{pair[1]} {pair[0]}")


def yes_no(
    rng: Rng,
    asked: set[Pair],
    vague: set[Pair],
    near: Sequence[Pair],
    pairs: Collection[Pair],
) -> tuple[str, str] | None:
    """A name and whether it was shown; absent ones are drawn out of the pairs, close to what the stream shows."""
    if asked and rng.random() < 0.5:
        return asked_thing(rng, sorted(asked)[rng.integers(len(asked))]), "yes"
    for _ in range(8):
        kind, colour = near[int(rng.integers(len(near)))] if near else ("star", "red")
        choice = rng.random()
        if choice < 0.45:
            colour = pick(rng, list(COLOURS))
        elif choice < 0.9:
            kind = pick(rng, KINDS)
        name = asked_thing(rng, (kind, colour))
        known = (kind, colour) in pairs
        if known and not any(fits(pair, name) for pair in asked | vague):
            return name, "no"
    return None
