"""Questions about now: what the last frame shows, and which way things go over the last few."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from livevlm.training.questions import Drawn, Footage, Rng, a, last, listed, pick, yes_no
from livevlm.training.views import Thing, View, motion_of, place_of, relation_of
from streams.scene import COLOURS, DIGITS, KINDS, SHAPES, SIGNS

NOT_IN_VIEW = "not in view"
NUMBERS = ("none", "one", "two", "three", "four", "five")
RELATIONS = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
TRACK = 3  # frames that a motion is read from
SPOKEN = 3  # things that a description names at most


def _clear(footage: Footage) -> View | None:
    """The last view, if nothing in it is half in view."""
    view = footage.views[-1]
    return None if view.vague else view


def _once(view: View, kind: str) -> Thing | None:
    found = [thing for thing in view.things if thing.kind == kind]
    return found[0] if len(found) == 1 else None


def now_colour(rng: Rng, footage: Footage) -> Drawn | None:
    """The colour of a thing in view."""
    view = footage.views[-1]
    present = {thing.kind for thing in view.things} | {kind for kind, _ in view.vague}
    if not view.things or rng.random() < 0.2:
        absent = pick(rng, [kind for kind in KINDS if kind not in present])
        return Drawn({"kind": absent}, NOT_IN_VIEW, last(footage))
    thing = view.things[rng.integers(len(view.things))]
    colours = {one.colour for one in view.things if one.kind == thing.kind}
    if len(colours) > 1 or thing.kind in [kind for kind, _ in view.vague]:
        return None
    kind = thing.kind
    if kind in SIGNS and rng.random() < 0.5 and sum(one.kind in SIGNS for one in view.things) == 1:
        kind = "sign"
    return Drawn({"kind": kind}, thing.colour, last(footage))


def _only(footage: Footage, among: Sequence[str]) -> str | None:
    view = _clear(footage)
    kinds = {thing.kind for thing in view.things if thing.kind in among} if view else set()
    return kinds.pop() if len(kinds) == 1 else None


def now_shape(_rng: Rng, footage: Footage) -> Drawn | None:
    """The one shape in view."""
    kind = _only(footage, SHAPES)
    return (kind and Drawn({}, kind, last(footage))) or None


def now_digit(_rng: Rng, footage: Footage) -> Drawn | None:
    """The one digit in view."""
    kind = _only(footage, DIGITS)
    return (kind and Drawn({}, kind, last(footage))) or None


def now_sign(rng: Rng, footage: Footage) -> Drawn | None:
    """What is written; where there is no sign, that."""
    view = _clear(footage)
    if view and not any(thing.kind in SIGNS for thing in view.things) and rng.random() < 0.15:
        return Drawn({}, NOT_IN_VIEW, last(footage))
    kind = _only(footage, SIGNS)
    return (kind and Drawn({}, kind.removesuffix(" sign"), last(footage))) or None


def now_thing(rng: Rng, footage: Footage) -> Drawn | None:
    """What has a colour."""
    view = footage.views[-1]
    present = {thing.colour for thing in view.things} | {colour for _, colour in view.vague}
    if not view.things or rng.random() < 0.2:
        absent = pick(rng, [hue for hue in COLOURS if hue not in present])
        return Drawn({"hue": absent}, NOT_IN_VIEW, last(footage))
    hue = view.things[rng.integers(len(view.things))].colour
    kinds = {thing.kind for thing in view.things if thing.colour == hue}
    if len(kinds) > 1 or hue in [colour for _, colour in view.vague]:
        return None
    return Drawn({"hue": hue}, kinds.pop(), last(footage))


def now_is(rng: Rng, footage: Footage) -> Drawn | None:
    """Whether a thing is in view."""
    view = footage.views[-1]
    asked = {thing.pair for thing in view.things}
    near = [thing.pair for one in footage.views[-6:] for thing in one.things]
    drawn = yes_no(rng, asked, set(view.vague), near, footage.pairs)
    return drawn and Drawn({"thing": a(drawn[0])}, drawn[1], last(footage))


def plural(kind: str) -> str:
    """ "stars", "crosses", "7s"."""
    return f"{kind}es" if kind == "cross" else f"{kind}s"


def now_count(rng: Rng, footage: Footage) -> Drawn | None:
    """How many things there are: of a kind, of a colour, of both, or in all."""
    view = _clear(footage)
    if view is None or not view.things:
        return None
    kind, colour = view.things[rng.integers(len(view.things))].pair
    if rng.random() < 0.15:
        kind = pick(rng, SHAPES + DIGITS)
    choice = rng.random()
    if choice < 0.25:
        return Drawn({"things": "things"}, NUMBERS[len(view.things)], last(footage))
    if choice < 0.65:
        said, count = plural(kind), sum(thing.kind == kind for thing in view.things)
    elif choice < 0.85:
        said = f"{colour} things"
        count = sum(thing.colour == colour for thing in view.things)
    else:
        said = f"{colour} {plural(kind)}"
        count = sum(thing.pair == (kind, colour) for thing in view.things)
    return Drawn({"things": said}, NUMBERS[count], last(footage))


def _named(rng: Rng, view: View) -> tuple[Thing, str] | None:
    """A thing of the view that a name can mean alone."""
    thing = view.things[rng.integers(len(view.things))]
    if sum(one.pair == thing.pair for one in view.things) > 1:
        return None
    alone = _once(view, thing.kind) is not None
    return thing, thing.kind if alone and rng.random() < 0.5 else thing.name


def now_where(rng: Rng, footage: Footage) -> Drawn | None:
    """Where in the frame a thing is."""
    view = _clear(footage)
    if view is None:
        return None
    if not view.things or rng.random() < 0.12:
        absent = pick(rng, [kind for kind in KINDS if _once(view, kind) is None])
        if any(thing.kind == absent for thing in view.things):
            return None
        return Drawn({"thing": absent}, NOT_IN_VIEW, last(footage))
    named = _named(rng, view)
    place = named and place_of(named[0])
    return Drawn({"thing": named[1]}, place, last(footage)) if named and place else None


def now_at(rng: Rng, footage: Footage) -> Drawn | None:
    """What is at a place."""
    view = _clear(footage)
    places = [place_of(thing) for thing in view.things] if view else []
    if view is None or not places or None in places:
        return None
    columns, rows = ("left", "", "right"), ("top", "", "bottom")
    cells = [
        " ".join(part for part in (row, column) if part) or "middle"
        for row in rows
        for column in columns
    ]
    place = pick(rng, cells) if rng.random() < 0.25 else pick(rng, [one for one in places if one])
    names = [thing.name for thing, at in zip(view.things, places, strict=True) if at == place]
    said = f"{'on' if place in columns else 'at' if place in rows else 'in'} the {place}"
    return Drawn({"place": said}, listed(names), last(footage)) if len(names) < 2 else None


def now_relation(rng: Rng, footage: Footage) -> Drawn | None:
    """Whether one thing lies so to another."""
    view = _clear(footage)
    if view is None or len(view.things) < 2:
        return None
    first, second = _named(rng, view), _named(rng, view)
    if first is None or second is None or first[0] is second[0]:
        return None
    relation = relation_of(first[0], second[0])
    if relation is None:
        return None
    true = rng.random() < 0.5
    fields = {"a": first[1], "b": second[1], "rel": relation if true else RELATIONS[relation]}
    return Drawn(fields, "yes" if true else "no", last(footage))


def now_beside(rng: Rng, footage: Footage) -> Drawn | None:
    """What lies so to a thing, where two are in view."""
    view = _clear(footage)
    if view is None or len(view.things) != 2 or view.things[0].pair == view.things[1].pair:
        return None
    named = _named(rng, view)
    if named is None:
        return None
    other = view.things[1] if named[0] is view.things[0] else view.things[0]
    relation = relation_of(other, named[0])
    if relation is None:
        return None
    return Drawn({"b": named[1], "rel": relation}, a(other.name), last(footage))


def now_moving(rng: Rng, footage: Footage) -> Drawn | None:
    """Which way a thing goes, over the last frames of one shot."""
    if len(footage.views) < TRACK or footage.shots[-TRACK] != footage.shots[-1]:
        return None
    views = footage.views[-TRACK:]
    if not views[-1].things or any(view.vague for view in views):
        return None
    named = _named(rng, views[-1])
    if named is None:
        return None
    tracks = [[thing for thing in view.things if thing.pair == named[0].pair] for view in views]
    if any(len(found) != 1 for found in tracks):
        return None
    way = motion_of([found[0] for found in tracks])
    if way is None or (way == "still" and rng.random() < 0.7):
        return None
    count = len(footage.views)
    return Drawn({"thing": named[1]}, way, tuple(range(count - TRACK, count)))


def now_describe(_rng: Rng, footage: Footage) -> Drawn | None:
    """All things in view, in reading order."""
    view = _clear(footage)
    if view is None or len(view.things) > SPOKEN:
        return None
    return Drawn({}, listed([thing.name for thing in view.things]), last(footage))


NOW: dict[str, Callable[[Rng, Footage], Drawn | None]] = {
    "now_colour": now_colour,
    "now_shape": now_shape,
    "now_digit": now_digit,
    "now_sign": now_sign,
    "now_thing": now_thing,
    "now_is": now_is,
    "now_count": now_count,
    "now_where": now_where,
    "now_at": now_at,
    "now_relation": now_relation,
    "now_beside": now_beside,
    "now_moving": now_moving,
    "now_describe": now_describe,
}
