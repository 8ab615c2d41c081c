"""Questions with known answers about a synthetic stream.

A stream is a list of views, one a frame; a view is the tuple of (kind, colour) pairs that the frame shows. Questions in
the present tense are about the last frame, questions in the past tense about the whole stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from streams.scene import COLOURS, DIGITS, KINDS, SHAPES

View = tuple[tuple[str, str], ...]
Rng = np.random.Generator
NOT_IN_VIEW = "not in view"
NOT_SEEN = "not seen"

# Wordings by question type. The last of each list is held out: training never sees it, evaluation does.
WORDINGS: dict[str, tuple[str, ...]] = {
    "now_colour": (
        "what {colour} is the {kind}?",
        "what {colour} is the {kind} now?",
        "which {colour} is the {kind} right now?",
        "which {colour} does the {kind} have?",
        "tell me the {colour} of the {kind}.",
        "what is the {colour} of the {kind}?",
        "the {kind} in view: what {colour} is it?",
        "what {colour} does the {kind} have right now?",
    ),
    "now_shape": (
        "what shape is in view?",
        "what shape do you see now?",
        "which shape is on the screen?",
        "which shape is it?",
        "what shape is there right now?",
        "what shape is on the screen?",
        "which shape do you see?",
        "which shape is in view right now?",
        "what shape is on the screen right now?",
        "which shape do you see right now?",
    ),
    "now_digit": (
        "what digit is in view?",
        "what digit do you see now?",
        "which number is on the screen?",
        "which digit is it?",
        "what number is there right now?",
        "what digit is on the screen?",
        "which digit do you see?",
        "which digit is in view right now?",
        "what number is in view?",
        "which digit is on the screen?",
        "which digit is on the screen right now?",
    ),
    "now_thing": (
        "what is {hue}?",
        "what is the {hue} thing?",
        "what is {hue} now?",
        "which thing is {hue}?",
        "what is {hue} right now?",
        "which thing on the screen is {hue}?",
        "what {hue} thing do you see?",
        "which thing is {hue} right now?",
    ),
    "now_is": (
        "is there a {thing} in view?",
        "is there a {thing}?",
        "do you see a {thing} now?",
        "is a {thing} on the screen?",
        "is a {thing} in view now?",
        "is there a {thing} right now?",
        "can you see a {thing}?",
        "is there a {thing} on the screen?",
        "do you see a {thing} right now?",
    ),
    "now_describe": (
        "what do you see?",
        "what is in view?",
        "what is on the screen now?",
        "describe the picture.",
        "what do you see now?",
        "what is in view right now?",
        "what is there now?",
        "describe what you see.",
        "what do you see right now?",
    ),
    "past_colour": (
        "what {colour} was the {kind}?",
        "which {colour} was the {kind}?",
        "which {colour} did the {kind} have?",
        "tell me which {colour} the {kind} was.",
        "the {kind} that was in view: what {colour} was it?",
        "what was the {colour} of the {kind}?",
        "what {colour} did the {kind} have?",
    ),
    "past_thing": (
        "what was {hue}?",
        "what was the {hue} thing?",
        "which thing was {hue}?",
        "tell me what was {hue}.",
        "what {hue} thing was there?",
        "which thing in view was {hue}?",
        "which was the {hue} thing?",
    ),
    "past_did": (
        "did a {thing} appear?",
        "was there a {thing}?",
        "have you seen a {thing}?",
        "did you see a {thing}?",
        "has a {thing} been in view?",
        "did a {thing} come into view?",
        "was there ever a {thing}?",
        "was a {thing} on the screen?",
        "was a {thing} in view?",
    ),
}
TYPES = tuple(WORDINGS)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, with the type it is counted under."""

    type: str
    question: str
    answer: str


def draw_exchange(
    rng: Rng, views: Sequence[View], type_: str, *, held_out: bool = False
) -> Exchange | None:
    """A question of the type about the stream, or None where the stream gives no unambiguous one."""
    drawn = _DRAW[type_](rng, views)
    if drawn is None:
        return None
    fields, answer = drawn
    wordings = WORDINGS[type_]
    wording = wordings[-1] if held_out else wordings[rng.integers(len(wordings) - 1)]
    fields.setdefault("colour", str(rng.choice(["colour", "color"])))
    question = wording.format(**fields)
    return Exchange(
        type_, question[0].upper() + question[1:] if rng.random() < 0.7 else question, answer
    )


Drawn = tuple[dict[str, str], str] | None


def _pick(rng: Rng, items: Sequence[str]) -> str:
    return items[int(rng.integers(len(items)))]


def _now_colour(rng: Rng, views: Sequence[View]) -> Drawn:
    now = dict(views[-1])
    if rng.random() < 0.25:
        absent = _pick(rng, [kind for kind in KINDS if kind not in now])
        return {"kind": absent}, NOT_IN_VIEW
    kind = _pick(rng, list(now))
    return {"kind": kind}, now[kind]


def _only(views: Sequence[View], kinds: Sequence[str]) -> Drawn:
    shown = [kind for kind, _ in views[-1] if kind in kinds]
    return ({}, shown[0]) if len(shown) == 1 else None


def _now_shape(_rng: Rng, views: Sequence[View]) -> Drawn:
    return _only(views, SHAPES)


def _now_digit(_rng: Rng, views: Sequence[View]) -> Drawn:
    return _only(views, DIGITS)


def _now_thing(rng: Rng, views: Sequence[View]) -> Drawn:
    by_hue = {colour: kind for kind, colour in views[-1]}
    if rng.random() < 0.2:
        return {"hue": _pick(rng, [hue for hue in COLOURS if hue not in by_hue])}, NOT_IN_VIEW
    hue = _pick(rng, list(by_hue))
    return {"hue": hue}, by_hue[hue]


def _thing(rng: Rng, pair: tuple[str, str]) -> str:
    kind, colour = pair
    return f"{colour} {kind}" if rng.random() < 0.6 else kind


def _shows(view: View, thing: str) -> bool:
    return any(thing in (kind, f"{colour} {kind}") for kind, colour in view)


def _yes_no(rng: Rng, asked: Sequence[View], near: Sequence[View]) -> Drawn:
    """Whether a thing is in the asked views; the absent things are drawn close to what the stream shows."""
    pairs = [pair for view in asked for pair in view]
    if rng.random() < 0.5:
        return {"thing": _thing(rng, pairs[rng.integers(len(pairs))])}, "yes"
    around = [pair for view in near for pair in view]
    for _ in range(8):
        kind, colour = around[rng.integers(len(around))]
        choice = rng.random()
        if choice < 0.4:
            colour = _pick(rng, list(COLOURS))
        elif choice < 0.8:
            kind = _pick(rng, KINDS)
        thing = _thing(rng, (kind, colour))
        if not any(_shows(view, thing) for view in asked):
            return {"thing": thing}, "no"
    return None


def _now_is(rng: Rng, views: Sequence[View]) -> Drawn:
    return _yes_no(rng, views[-1:], views)


def _past_did(rng: Rng, views: Sequence[View]) -> Drawn:
    return _yes_no(rng, views, views)


def _now_describe(_rng: Rng, views: Sequence[View]) -> Drawn:
    return {}, " and ".join(f"a {colour} {kind}" for kind, colour in views[-1])


def _unique(rng: Rng, pairs: set[tuple[str, str]], absent: Sequence[str]) -> tuple[str, str] | None:
    """A key that stands in one pair alone, with its value; now and then a key that stands in none."""
    keys = [key for key, _ in pairs]
    never = [key for key in absent if key not in keys]
    if never and rng.random() < 0.2:
        return _pick(rng, never), NOT_SEEN
    once = sorted(pair for pair in pairs if keys.count(pair[0]) == 1)
    return once[rng.integers(len(once))] if once else None


def _past_colour(rng: Rng, views: Sequence[View]) -> Drawn:
    drawn = _unique(rng, {pair for view in views for pair in view}, KINDS)
    return drawn and ({"kind": drawn[0]}, drawn[1])


def _past_thing(rng: Rng, views: Sequence[View]) -> Drawn:
    drawn = _unique(rng, {(colour, kind) for view in views for kind, colour in view}, list(COLOURS))
    return drawn and ({"hue": drawn[0]}, drawn[1])


_DRAW: dict[str, Callable[[Rng, Sequence[View]], Drawn]] = {
    "now_colour": _now_colour,
    "now_shape": _now_shape,
    "now_digit": _now_digit,
    "now_thing": _now_thing,
    "now_is": _now_is,
    "now_describe": _now_describe,
    "past_colour": _past_colour,
    "past_thing": _past_thing,
    "past_did": _past_did,
}
