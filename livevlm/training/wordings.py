"""Wordings: how each type of question may be said. `[a|b|]` is one of the alternatives; `{field}` is filled in.

`SAID` is what training draws from; `UNSAID` is evaluation's alone: other sentences out of the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

_NOW = "[| now| right now| at the moment]"
_SEEN = "[in view|on the screen|there]"

SAID: dict[str, tuple[str, ...]] = {
    "now_colour": (
        f"[what|which] {{c}} is the {{kind}}{_NOW}?",
        f"[what|which] {{c}} does the {{kind}} have{_NOW}?",
        f"what is the {{c}} of the {{kind}}{_NOW}?",
        "tell me [the {c} of the {kind}|what {c} the {kind} is|which {c} the {kind} has][| now].",
        f"the {{kind}} {_SEEN}: [what|which] {{c}} is it?",
    ),
    "now_shape": (
        f"[what|which] shape is {_SEEN}{_NOW}?",
        f"[what|which] shape [do you see|can you see|is it]{_NOW}?",
        "tell me [what|which] shape [you see|is in view|it is][| now].",
        "what is the shape[| in view| on the screen]?",
    ),
    "now_digit": (
        f"[what|which] [digit|number] is {_SEEN}{_NOW}?",
        f"[what|which] [digit|number] [do you see|can you see|is it]{_NOW}?",
        "tell me [what|which] [digit|number] [you see|is in view|it is][| now].",
        "what is the [digit|number][| in view| on the screen]?",
    ),
    "now_sign": (
        f"what is written[| there| on the sign]{_NOW}?",
        f"what does the sign say{_NOW}?",
        f"[what|which] word is [on the sign|written|written there]{_NOW}?",
        "[read the sign|tell me what the sign says|tell me what is written][| now].",
        "which word [do you see|can you see][| on the sign]?",
    ),
    "now_thing": (
        f"what is {{hue}}{_NOW}?",
        f"what is the {{hue}} thing{_NOW}?",
        f"[what|which] thing is {{hue}}{_NOW}?",
        "[what|which] {hue} thing [do you see|can you see|is there|is in view][| now]?",
        "tell me what [is {hue}|the {hue} thing is][| now].",
    ),
    "now_is": (
        f"is there {{thing}}[| in view| on the screen]{_NOW}?",
        f"[do|can] you see {{thing}}[| there| on the screen]{_NOW}?",
        f"is {{thing}} {_SEEN}{_NOW}?",
        "tell me if [there is {thing}|you see {thing}][| now].",
    ),
    "now_count": (
        f"how many {{things}} [are there|are in view|are on the screen|do you see|can you see]{_NOW}?",
        "count the {things}[| in view| on the screen| that you see][| now].",
        "what is the number of {things}[| in view| on the screen][| now]?",
        "tell me how many {things} [there are|you see][| now].",
    ),
    "now_where": (
        f"where is the {{thing}}{_NOW}?",
        f"where [do|can] you see the {{thing}}{_NOW}?",
        "in [what|which] part of the [picture|screen] is the {thing}[| now]?",
        "tell me where the {thing} is[| now].",
    ),
    "now_at": (
        f"what is {{place}}{_NOW}?",
        "what [do|can] you see {place}[| now]?",
        "[what|which] thing is {place}[| of the picture| of the screen]?",
        "tell me what is {place}[| now].",
    ),
    "now_relation": (
        f"is the {{a}} {{rel}} the {{b}}{_NOW}?",
        "do you see the {a} {rel} the {b}[| now]?",
        "tell me if the {a} is {rel} the {b}[| now].",
    ),
    "now_beside": (
        f"what is {{rel}} the {{b}}{_NOW}?",
        "what [do|can] you see {rel} the {b}[| now]?",
        "[what|which] thing is {rel} the {b}[| now]?",
    ),
    "now_moving": (
        f"[what|which] way is the {{thing}} [moving|going]{_NOW}?",
        f"where is the {{thing}} [moving|going]{_NOW}?",
        "in [what|which] direction [is the {thing} moving|is the {thing} going|does the {thing} move|does the {thing} go]?",
        "tell me [which way|where] the {thing} [is moving|is going|moves|goes].",
    ),
    "now_describe": (
        f"what [do|can] you see{_NOW}?",
        f"what is {_SEEN}{_NOW}?",
        "describe [the picture|the screen|the view|what you see|what is there][| now].",
        "tell me what [you see|is in view|is on the screen][| now].",
    ),
    "past_colour": (
        "[what|which] {c} was the {kind}[| that you saw| that was there]?",
        "[what|which] {c} did the {kind} have?",
        "what was the {c} of the {kind}?",
        "tell me [what|which] {c} the {kind} [was|had].",
        "the {kind} that [was in view|was there|you saw]: [what|which] {c} was it?",
    ),
    "past_thing": (
        "what was [{hue}|the {hue} thing]?",
        "[what|which] thing was {hue}?",
        "[what|which] {hue} thing [was there|was in view|did you see|have you seen]?",
        "tell me what [was {hue}|the {hue} thing was].",
        "what did you see that was {hue}?",
    ),
    "past_sign": (
        "what was written on the {hue} sign?",
        "what did the {hue} sign say?",
        "[what|which] word was [on the {hue} sign|written on the {hue} sign]?",
        "tell me what [the {hue} sign said|was on the {hue} sign].",
    ),
    "past_did": (
        "did {thing} [appear|come into view]?",
        "[did you see|have you seen] {thing}[| before]?",
        "was there [|ever ]{thing}?",
        "was {thing} [in view|on the screen][| before]?",
        "has {thing} [appeared|been in view|been there|been on the screen]?",
        "tell me if [you have seen {thing}|there was {thing}|{thing} appeared].",
    ),
    "past_first": (
        "[what|which] [came|appeared] {first}[,|:] the {a} or the {b}?",
        "[what|which] did you see {first}[,|:] the {a} or the {b}?",
        "did the {a} or the {b} [come|appear] {first}?",
        "the {a} or the {b}: [what|which] [came|appeared] {first}?",
    ),
    "past_next": (
        "what [came|appeared|was there|was in view] [|right ]{next} the {a}?",
        "what did you see [|right ]{next} the {a}?",
        "tell me what [came|was there|appeared] [|right ]{next} the {a}.",
    ),
    "past_when": (
        "when did {thing} [appear|come into view]?",
        "when did you see {thing}?",
        "when was [there {thing}|{thing} in view]?",
        "at what time [did {thing} appear|was {thing} there|did you see {thing}]?",
        "tell me when [{thing} appeared|you saw {thing}].",
    ),
}
UNSAID: dict[str, tuple[str, ...]] = {
    "now_colour": ("the {kind} now: which {c} does it have?", "what {c} do you see the {kind} in?"),
    "now_shape": ("what shape can be seen right now?", "there is a shape on the screen: which is it?"),
    "now_digit": ("what digit can be seen right now?", "there is a digit on the screen: which is it?"),
    "now_sign": ("there is a sign: what does it say?", "tell me the word on the sign."),
    "now_thing": ("the {hue} thing in view: what is it?", "what do you see that is {hue}?"),
    "now_is": ("right now, is there {thing}?", "is it true that there is {thing} on the screen?"),
    "now_count": ("right now, how many {things} are there?", "the {things}: how many do you see?"),
    "now_where": ("the {thing}: where is it?", "where on the screen is the {thing}?"),
    "now_at": ("{place}, what do you see?", "tell me what you see {place}."),
    "now_relation": ("the {a}: is it {rel} the {b}?", "right now, is the {a} {rel} the {b}?"),
    "now_beside": ("tell me what is {rel} the {b}.", "there is a thing {rel} the {b}: what is it?"),
    "now_moving": ("the {thing}: which way does it go?", "where does the {thing} move?"),
    "now_describe": ("tell me what there is on the screen.", "describe what you see on the screen."),
    "past_colour": ("there was a {kind}: what {c} was it?", "you saw the {kind}: which {c} did it have?"),
    "past_thing": ("there was a {hue} thing: what was it?", "you saw a {hue} thing: which was it?"),
    "past_sign": ("there was a {hue} sign: what did it say?", "which word did the {hue} sign have?"),
    "past_did": ("before, was there {thing}?", "have you ever seen {thing}?"),
    "past_first": ("tell me what came {first}, the {a} or the {b}.", "which was there {first}, the {a} or the {b}?"),
    "past_next": ("{next} the {a}, what came?", "{next} the {a}, what did you see?"),
    "past_when": ("tell me at what time {thing} came into view.", "{thing} was there: when did you see it?"),
}  # fmt: skip
TYPES = tuple(SAID)

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


def draw_wording(rng: np.random.Generator, type_: str, *, unsaid: bool = False) -> str:
    """A wording of the type, its fields still open; `c` is left too."""
    templates = (UNSAID if unsaid else SAID)[type_]
    return expand(templates[rng.integers(len(templates))], lambda count: int(rng.integers(count)))


def expand(template: str, choose: Callable[[int], int]) -> str:
    """The template with one of every group of alternatives; `choose` is given how many there are."""

    def pick(match: re.Match[str]) -> str:
        parts = match[1].split("|")
        return parts[choose(len(parts))]

    return _CHOICE.sub(pick, template)
