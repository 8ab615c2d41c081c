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
# What the last stage draws from beside `SAID`: the first wordings alone were not enough for the model to understand new ones.
MORE: dict[str, tuple[str, ...]] = {
    "now_colour": (
        "[there is a {kind}|you see a {kind}]: [what|which] {c} [is it|does it have][| now]?",
        "what {c} do you see on the {kind}[| now]?",
        "and the {kind}[|, what {c} is it|, which {c}]?",
    ),
    "now_shape": (
        "[there is a shape|you see a shape][| now| there]: [what is it|what shape is it|which one is it]?",
        "[what|which] shape [can be seen|is to be seen|is that|is this][| now]?",
        "the shape [in view|there]: which is it?",
    ),
    "now_digit": (
        "[there is|you see] a [digit|number][| now| there]: [what is it|which one is it|which digit is it]?",
        "[what|which] [digit|number] [can be seen|is to be seen|is that|is this][| now]?",
        "the [digit|number] [in view|there]: which is it?",
    ),
    "now_sign": (
        "[there is|you see] a sign[| now| in view]: [what is written|which word is it|what is on it|read it]?",
        "[what|which] word [is that|is this|does the sign have|does it say][| now]?",
        "the sign[| in view| there]: what [does it say|is written on it|is written there]?",
        "[say|tell me] [the word|what word is on the sign|which word you see].",
    ),
    "now_thing": (
        "[there is|you see] a {hue} thing[| now]: [what is it|which is it]?",
        "what is there that is {hue}[| now]?",
        "the {hue} [one|thing][| there| now]: what is it?",
    ),
    "now_is": (
        "[now|at the moment], [is there {thing}|do you see {thing}]?",
        "is it so that [there is {thing}|{thing} is in view][| now]?",
        "{thing}: is it [there|in view|on the screen][| now]?",
    ),
    "now_count": (
        "[now|at the moment], how many {things} [are there|do you see]?",
        "{things}: how many [are there|do you see|are in view][| now]?",
        "the {things} [in view|there]: [count them|how many are there]?",
        "how many {things} [can be seen|are to be seen][| now]?",
    ),
    "now_where": (
        "the {thing}[| now]: [where do you see it|in which part of the picture is it|where]?",
        "where [in the picture|in the view|on the picture] is the {thing}[| now]?",
        "[now|at the moment], where is the {thing}?",
        "[there is|you see] a {thing}: where is it?",
    ),
    "now_at": (
        "{place}: what [is there|do you see there|is it]?",
        "{place}[| of the picture| of the screen], what is there[| now]?",
        "tell me what [there is|you see there] {place}[| now].",
    ),
    "now_relation": (
        "the {a}: [is it now|do you see it] {rel} the {b}?",
        "[now|at the moment], is the {a} {rel} the {b}?",
        "is it so that the {a} is {rel} the {b}[| now]?",
        "does the {a} [lie|stand] {rel} the {b}[| now]?",
    ),
    "now_beside": (
        "tell me [what you see|which thing is] {rel} the {b}[| now].",
        "[there is a thing|you see a thing] {rel} the {b}: [which is it|what do you see]?",
        "{rel} the {b}, what [is there|do you see]?",
    ),
    "now_moving": (
        "the {thing}[| now]: [which way is it moving|where is it going|where does it go|in what direction]?",
        "[which way|where] does the {thing} go[| now]?",
        "[there is|you see] a {thing}: which way is it going?",
        "which way does the {thing} move[| now]?",
    ),
    "now_describe": (
        "tell me [what there is|what is there|all that you see][| now| in view].",
        "describe what [is|there is] [in view|on the screen|there][| now].",
        "what [things|all] do you see[| now| on the screen]?",
    ),
    "past_colour": (
        "[you have seen|there has been|you once saw] a {kind}: [what|which] {c} [was it|did it have]?",
        "a {kind} [was there|was in view|appeared|came]: [what|which] {c} [was it|did it have]?",
        "[what|which] {c} [was on the {kind}|was the {kind} in|of {kind} was there]?",
        "the {kind}[| before]: [what|which] {c} [was it|did it have]?",
    ),
    "past_thing": (
        "[you have seen|there has been|you once saw] a {hue} thing: [what|which] was it?",
        "a {hue} thing [was there|was in view|appeared|came]: [what|which] was it?",
        "the {hue} [one|thing][| before]: what was it?",
    ),
    "past_sign": (
        "[you have seen|there has been|you saw] a {hue} sign: [what did it say|what was written|which word was it]?",
        "a {hue} sign [was there|appeared|came]: [what did it say|what was on it|which word was on it]?",
        "the {hue} sign[| before]: what [did it say|was written on it]?",
        "which word [was that of|stood on|did you see on] the {hue} sign?",
    ),
    "past_did": (
        "[before|in the past|up to now], [did you see {thing}|did {thing} appear]?",
        "{thing}: [was it there|have you seen it|did it appear]?",
        "is it so that [there was {thing}|you have seen {thing}]?",
    ),
    "past_first": (
        "tell me [what appeared|which came|what you saw] {first}[,|:] the {a} or the {b}.",
        "[what|which] was [in view|seen|shown] {first}[,|:] the {a} or the {b}?",
        "of the {a} and the {b}, which [came|was there|appeared] {first}?",
    ),
    "past_next": (
        "{next} the {a}[|:] what [was there|appeared|was in view|was shown]?",
        "what was [shown|seen|to be seen] [|right ]{next} the {a}?",
        "right {next} the {a}, what [came|was there|did you see]?",
        "tell me what you saw [|right ]{next} the {a}.",
    ),
    "past_when": (
        "{thing}[| was there]: [when did it appear|when was that|at what time]?",
        "tell me the time [when {thing} appeared|at which you saw {thing}].",
        "[you saw {thing}|there was {thing}]: [when|at what time|when was it]?",
    ),
}
OPENINGS = ("please, ", "well, ", "so: ", "hello, ", "now tell me: ", "one question: ")
TYPES = tuple(SAID)

_CHOICE = re.compile(r"\[([^\[\]]*)\]")


def draw_wording(
    rng: np.random.Generator, type_: str, *, unsaid: bool = False, more: bool = False
) -> str:
    """A wording of the type, its fields still open; `c` is left too. more: of `MORE` too, at times with an opening."""
    templates = (UNSAID if unsaid else SAID)[type_]
    if more:
        templates += MORE[type_]
    said = expand(templates[rng.integers(len(templates))], lambda count: int(rng.integers(count)))
    if more and rng.random() < 0.15:
        said = OPENINGS[rng.integers(len(OPENINGS))] + said
    return said


def expand(template: str, choose: Callable[[int], int]) -> str:
    """The template with one of every group of alternatives; `choose` is given how many there are."""

    def pick(match: re.Match[str]) -> str:
        parts = match[1].split("|")
        return parts[choose(len(parts))]

    return _CHOICE.sub(pick, template)
