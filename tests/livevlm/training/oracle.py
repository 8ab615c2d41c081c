"""An oracle: the answers to a question, worked out from its words and from what the footage shows.

It knows nothing of how questions are made. Every function gives the answers that the words allow, given what is clearly to
be seen; an empty set means that nobody can tell, and more than one answer that the question is ambiguous.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from livevlm.training.questions import Footage
from livevlm.training.views import Thing, View

HUES = "red green blue yellow purple orange pink cyan white black".split()
SHAPES = "circle square triangle star cross ring heart arrow diamond moon house bolt".split()
PLATES = "stop exit open taxi cafe park gate push lift shop".split()
DIGITS = list("0123456789")
COUNTS = ["none", "one", "two", "three", "four", "five"]

_HUE = f"(?:{'|'.join(HUES)})"
_KIND = f"(?:(?:{'|'.join(PLATES)}) sign|{'|'.join(SHAPES)}|[0-9])"
_NAME = re.compile(rf"\b(?:{_HUE} )?{_KIND}\b")
_THINGS = re.compile(rf"\b(?:({_HUE}) )?(things|{_KIND}(?:es|s))\b")
_PLACE = re.compile(
    r"\bat the (top|bottom)|\bon the (left|right)|\bin the (middle|(?:top|bottom) (?:left|right))"
)

Answers = set[str]


def answers(type_: str, question: str, footage: Footage) -> Answers:
    """What can be answered."""
    return _ORACLES[type_](question.lower(), footage)


def subject_frames(type_: str, question: str, footage: Footage) -> set[int]:
    """The frames that clearly show what a question about the past is about."""
    words = question.lower()
    names = _NAME.findall(words)
    if type_ in ("past_thing", "past_sign"):
        names = [_hue(words) + (" sign" if type_ == "past_sign" else "")]
    return {
        number
        for number, view in enumerate(footage.views)
        if any(_means(name, thing.kind, thing.colour) for thing in view.things for name in names)
    }


def with_article(name: str) -> str:
    """ "an orange star", "a red star"."""
    first = name.split()[0]
    return f"an {name}" if first in ("orange", "arrow", "8", "exit", "open") else f"a {name}"


def in_words(things: Iterable[Thing]) -> str:
    """A list as one says it."""
    said = [with_article(f"{thing.colour} {thing.kind}") for thing in things]
    if not said:
        return "nothing"
    if len(said) == 1:
        return said[0]
    return f"{', '.join(said[:-1])} and {said[-1]}"


def _means(name: str, kind: str, colour: str) -> bool:
    """Whether a thing may be called so: by kind, by colour, by both, or as a sign of a colour."""
    called = {kind, colour, f"{colour} {kind}"}
    if kind.endswith(" sign"):
        called |= {"sign", f"{colour} sign"}
    return name in called


def _hue(words: str) -> str:
    found: str = re.findall(rf"\b{_HUE}\b", words)[0]
    return found


def _shown(views: Iterable[View], name: str) -> list[Thing]:
    return [t for view in views for t in view.things if _means(name, t.kind, t.colour)]


def _half_shown(views: Iterable[View], name: str) -> list[tuple[str, str]]:
    return [pair for view in views for pair in view.vague if _means(name, *pair)]


def _only(views: list[View], name: str, tell: Callable[[str, str], str], absent: str) -> Answers:
    """What there is to tell of all that a name can mean; what is half in view speaks too."""
    told = {tell(thing.kind, thing.colour) for thing in _shown(views, name)}
    doubts = {tell(*pair) for pair in _half_shown(views, name)}
    if told:
        return told | doubts
    return {absent} if not doubts else set()


def _colour(words: str, views: list[View], absent: str) -> Answers:
    name = (_NAME.findall(words) or ["sign"])[0]
    return _only(views, name, lambda kind, colour: colour, absent)


def _thing(words: str, views: list[View], absent: str) -> Answers:
    return _only(views, _hue(words), lambda kind, colour: kind, absent)


def _text(words: str, views: list[View], absent: str) -> Answers:
    hue = re.search(rf"\b({_HUE}) sign\b", words)
    name = f"{hue[1]} sign" if hue else "sign"
    return _only(views, name, lambda kind, colour: kind.split()[0], absent)


def _one_of(among: list[str]) -> Callable[[str, Footage], Answers]:
    def oracle(_words: str, footage: Footage) -> Answers:
        view = footage.views[-1]
        kinds = [thing.kind for thing in view.things] + [kind for kind, _ in view.vague]
        return {kind for kind in kinds if kind in among}

    return oracle


def _is(words: str, views: list[View]) -> Answers:
    (name,) = _NAME.findall(words)
    assert re.search(rf"\b{with_article(name)}\b", words), words
    if _shown(views, name):
        return {"yes"}
    return {"no"} if not _half_shown(views, name) else set()


def _count(words: str, footage: Footage) -> Answers:
    (found,) = _THINGS.findall(words)
    hue, things = found
    kind = "crosses" if things == "crosses" else things.removesuffix("s")
    view = footage.views[-1]
    if view.vague:
        return set()
    count = 0
    for thing in view.things:
        right_kind = things == "things" or thing.kind in (kind, kind.removesuffix("es"))
        count += right_kind and hue in ("", thing.colour)
    return {COUNTS[count]}


def _the(view: View, name: str) -> Thing | None:
    """The one thing that the name means."""
    found = _shown([view], name)
    assert len(found) <= 1, f"{name} may mean several things"
    assert not _half_shown([view], name), f"{name} is half in view"
    return found[0] if found else None


def _third(part: float) -> int:
    assert min(abs(part - 1 / 3), abs(part - 2 / 3)) > 0.04, "too near a border"
    return sum(part > border for border in (1 / 3, 2 / 3))


def _cell(thing: Thing) -> str:
    return [
        ["top left", "top", "top right"],
        ["left", "middle", "right"],
        ["bottom left", "bottom", "bottom right"],
    ][_third(thing.y)][_third(thing.x)]


def _where(words: str, footage: Footage) -> Answers:
    (name,) = _NAME.findall(words)
    thing = _the(footage.views[-1], name)
    return {_cell(thing) if thing else "not in view"}


def _at(words: str, footage: Footage) -> Answers:
    (found,) = _PLACE.findall(words)
    assert not footage.views[-1].vague
    return {in_words(one for one in footage.views[-1].things if _cell(one) == "".join(found))}


def _offset(relation: str, one: Thing, other: Thing) -> tuple[float, float]:
    """How far one lies that way from the other, and how far aside."""
    dx, dy = one.x - other.x, one.y - other.y
    return {
        "left of": (-dx, abs(dy)),
        "right of": (dx, abs(dy)),
        "above": (-dy, abs(dx)),
        "below": (dy, abs(dx)),
    }[relation]


def _relation_word(words: str) -> str:
    (relation,) = re.findall(r"\b(left of|right of|above|below)\b", words)
    return str(relation)


def _relation(words: str, footage: Footage) -> Answers:
    one, other = (_the(footage.views[-1], name) for name in _NAME.findall(words))
    assert one
    assert other
    ahead, aside = _offset(_relation_word(words), one, other)
    assert abs(ahead) > 0.19, "too near each other"
    assert aside < abs(ahead) / 2 + 0.01, "no single word says how they lie"
    return {"yes" if ahead > 0 else "no"}


def _beside(words: str, footage: Footage) -> Answers:
    (name,) = _NAME.findall(words)
    thing = _the(footage.views[-1], name)
    assert thing
    assert not footage.views[-1].vague
    lies = [_offset(_relation_word(words), one, thing) for one in footage.views[-1].things]
    fit = [
        one
        for one, (ahead, aside) in zip(footage.views[-1].things, lies, strict=True)
        if ahead > 0.19 and aside < ahead / 2 + 0.01
    ]
    return {in_words([one]) for one in fit}


def _moving(words: str, footage: Footage) -> Answers:
    (name,) = _NAME.findall(words)
    assert len(set(footage.shots[-3:])) == 1
    assert len(footage.shots) >= 3
    track = [_the(view, name) for view in footage.views[-3:]]
    found = set()
    for before, after in itertools.pairwise(track):
        assert before
        assert after
        ways = {
            "right": after.x - before.x,
            "left": before.x - after.x,
            "down": after.y - before.y,
            "up": before.y - after.y,
        }
        far = max(ways.values())
        assert far < 0.02 or far > 0.05, "neither moves nor rests"
        assert far < 0.02 or sorted(ways.values())[-2] < 0.02, "goes askew"
        found.add("still" if far < 0.02 else max(ways, key=lambda way: ways[way]))
    return found


def _describe(_words: str, footage: Footage) -> Answers:
    view = footage.views[-1]
    if view.vague or len(view.things) > 3:
        return set()
    rows = [[t for t in view.things if low <= t.y < low + 1 / 3] for low in (0.0, 1 / 3, 2 / 3)]
    return {in_words(thing for row in rows for thing in sorted(row, key=lambda one: one.x))}


def _stretch(footage: Footage, name: str) -> list[int]:
    """The frames of the one time that a thing was in view."""
    found = [n for n, view in enumerate(footage.views) if _shown([view], name)]
    assert not _half_shown(footage.views, name), f"{name} is half in view at times"
    assert found == list(range(found[0], found[-1] + 1)) if found else True, f"{name} came twice"
    return found


def _first(words: str, footage: Footage) -> Answers:
    one, other = _NAME.findall(words)
    begins = {name: _stretch(footage, name)[0] for name in (one, other)}
    assert begins[one] != begins[other]
    early = bool(re.search(r"\b(first|earlier)\b", words))
    assert early != bool(re.search(r"\b(last|later)\b", words))
    return {f"the {(min if early else max)(begins, key=lambda name: begins[name])}"}


def _next(words: str, footage: Footage) -> Answers:
    (name,) = _NAME.findall(words)
    after = "after the" in words
    assert after != ("before the" in words)
    stretch = _stretch(footage, name)
    edge = stretch[-1] if after else stretch[0]
    shot = footage.shots[edge] + (1 if after else -1)
    views = [view for view, one in zip(footage.views, footage.shots, strict=True) if one == shot]
    assert not _shown(views, name), "it was still there"
    # Nothing else of its own shot came in between.
    between = edge + (1 if after else -1)
    assert footage.shots[between] == shot
    names = {frozenset((t.kind, t.colour) for t in view.things) for view in views}
    assert len(names) == 1, "it changed within the shot"
    assert not any(view.vague for view in views)
    return {in_words(views[0].things)}


def _when(words: str, footage: Footage) -> Answers:
    (name,) = _NAME.findall(words)
    assert re.search(rf"\b{with_article(name)}\b", words), words
    stretch = _stretch(footage, name)
    if not stretch:
        return {"not seen"}
    return {f"at {footage.stamps[stretch[0]]}" if footage.stamps else "I do not know"}


def _now(
    oracle: Callable[[str, list[View], str], Answers],
) -> Callable[[str, Footage], Answers]:
    return lambda words, footage: oracle(words, list(footage.views[-1:]), "not in view")


def _past(
    oracle: Callable[[str, list[View], str], Answers],
) -> Callable[[str, Footage], Answers]:
    """Of a whole stream: a thing that is half in view in one frame and whole in another is that thing."""

    def asked(words: str, footage: Footage) -> Answers:
        shown = {(t.kind, t.colour) for view in footage.views for t in view.things}
        views = [
            replace(view, vague=tuple(pair for pair in view.vague if pair not in shown))
            for view in footage.views
        ]
        return oracle(words, views, "not seen")

    return asked


_ORACLES: dict[str, Callable[[str, Footage], Answers]] = {
    "now_colour": _now(_colour),
    "now_shape": _one_of(SHAPES),
    "now_digit": _one_of(DIGITS),
    "now_sign": _now(_text),
    "now_thing": _now(_thing),
    "now_is": lambda words, footage: _is(words, list(footage.views[-1:])),
    "now_count": _count,
    "now_where": _where,
    "now_at": _at,
    "now_relation": _relation,
    "now_beside": _beside,
    "now_moving": _moving,
    "now_describe": _describe,
    "past_colour": _past(_colour),
    "past_thing": _past(_thing),
    "past_sign": _past(_text),
    "past_did": lambda words, footage: _is(words, list(footage.views)),
    "past_first": _first,
    "past_next": _next,
    "past_when": _when,
}
