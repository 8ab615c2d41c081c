"""Questions about the whole stream: what was shown, in what order, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from livevlm.training.questions import (
    Drawn,
    Footage,
    Rng,
    a,
    fits,
    listed,
    pick,
    yes_no,
)
from livevlm.training.views import View
from streams.scene import COLOURS, KINDS, SIGNS
from streams.staging import Pair

NOT_SEEN = "not seen"
NO_CLOCK = "I do not know"
LATER, EARLIER = ("last", "later"), ("first", "earlier")


def _pairs(view: View) -> set[Pair]:
    return {thing.pair for thing in view.things}


def _vague(footage: Footage) -> set[Pair]:
    return {pair for view in footage.views for pair in view.vague}


def _frames(footage: Footage, name: str) -> tuple[int, ...]:
    """The frames that show what the name means."""
    return tuple(
        number
        for number, view in enumerate(footage.views)
        if any(fits(pair, name) for pair in _pairs(view))
    )


def _lookup(
    rng: Rng, footage: Footage, key: int, absent: Sequence[str]
) -> tuple[str, str, tuple[int, ...]] | None:
    """A key (0: kind, 1: colour) that stands in one pair of the stream alone, with its value and its frames; now and then a
    key that stands in none.
    """
    pairs = {pair for view in footage.views for pair in _pairs(view)}
    taken = [pair[key] for pair in pairs | _vague(footage)]
    never = [name for name in absent if name not in taken]
    if never and rng.random() < 0.2:
        return pick(rng, never), NOT_SEEN, ()
    vague = {pair[key] for pair in _vague(footage) - pairs}
    once = sorted(pair for pair in pairs if taken.count(pair[key]) == 1 and pair[key] not in vague)
    if not once:
        return None
    pair = once[rng.integers(len(once))]
    frames = tuple(n for n, view in enumerate(footage.views) if pair in _pairs(view))
    return pair[key], pair[1 - key], frames


def past_colour(rng: Rng, footage: Footage) -> Drawn | None:
    """The colour that a thing had."""
    found = _lookup(rng, footage, 0, KINDS)
    return found and Drawn({"kind": found[0]}, found[1], found[2])


def past_thing(rng: Rng, footage: Footage) -> Drawn | None:
    """What had a colour."""
    found = _lookup(rng, footage, 1, list(COLOURS))
    return found and Drawn({"hue": found[0]}, found[1], found[2])


def past_sign(rng: Rng, footage: Footage) -> Drawn | None:
    """What was written on the sign of a colour."""
    shown = {pair for view in footage.views for pair in _pairs(view) if pair[0] in SIGNS}
    vague = {colour for kind, colour in _vague(footage) if kind in SIGNS}
    hues = [colour for _, colour in shown]
    never = [hue for hue in COLOURS if hue not in hues and hue not in vague]
    if never and rng.random() < 0.15:
        return Drawn({"hue": pick(rng, never)}, NOT_SEEN)
    once = sorted(pair for pair in shown if hues.count(pair[1]) == 1 and pair[1] not in vague)
    if not once:
        return None
    kind, hue = once[rng.integers(len(once))]
    return Drawn({"hue": hue}, kind.removesuffix(" sign"), _frames(footage, f"{hue} {kind}"))


def past_did(rng: Rng, footage: Footage) -> Drawn | None:
    """Whether a thing was ever shown."""
    asked = {pair for view in footage.views for pair in _pairs(view)}
    drawn = yes_no(rng, asked, _vague(footage), sorted(asked), footage.pairs)
    return drawn and Drawn({"thing": a(drawn[0])}, drawn[1], _frames(footage, drawn[0]))


def _appearances(footage: Footage) -> dict[Pair, tuple[int, ...]]:
    """The pairs that were shown in one stretch of frames, never half in view, with those frames."""
    frames: dict[Pair, list[int]] = {}
    for number, view in enumerate(footage.views):
        for pair in _pairs(view):
            frames.setdefault(pair, []).append(number)
    vague = _vague(footage)
    return {
        pair: tuple(found)
        for pair, found in frames.items()
        if found[-1] - found[0] == len(found) - 1 and pair not in vague
    }


def past_first(rng: Rng, footage: Footage) -> Drawn | None:
    """Which of two things came first, or last."""
    shown = _appearances(footage)
    if len(shown) < 2:
        return None
    pairs = sorted(shown)
    one, two = (pairs[place] for place in rng.choice(len(pairs), size=2, replace=False))
    if shown[one][0] == shown[two][0]:
        return None
    early, late = (one, two) if shown[one][0] < shown[two][0] else (two, one)
    first = rng.random() < 0.6
    names = {pair: f"{pair[1]} {pair[0]}" for pair in (one, two)}
    word = pick(rng, EARLIER if first else LATER)
    answer = f"the {names[early if first else late]}"
    fields = {"a": names[one], "b": names[two], "first": word}
    return Drawn(fields, answer, shown[early] + shown[late], shown[early if first else late])


def past_next(rng: Rng, footage: Footage) -> Drawn | None:
    """What was shown in the shot before or after a thing, where that shot showed one thing or two throughout."""
    shown = _appearances(footage)
    after = bool(rng.random() < 0.6)
    pairs = sorted(shown)
    if not pairs:
        return None
    pair = pairs[rng.integers(len(pairs))]
    frames, step = shown[pair], 1 if after else -1
    edge = frames[-1 if after else 0]
    near = edge + step
    if not 0 <= near < len(footage.views) or footage.shots[near] == footage.shots[edge]:
        return None
    whole = [n for n, shot in enumerate(footage.shots) if shot == footage.shots[near]]
    views = [footage.views[n] for n in whole]
    if any(view.vague or _pairs(view) != _pairs(views[0]) for view in views):
        return None
    names = [thing.name for thing in views[0].things]
    if not 1 <= len(names) <= 2 or pair in _pairs(views[0]):
        return None
    fields = {"a": f"{pair[1]} {pair[0]}", "next": "after" if after else "before"}
    # A frame can know what was shown before it, never what comes after: so what came before a thing is looked up in the first
    # frame that shows the thing, what came after it in the first frame without it.
    clue = near if after else edge
    return Drawn(fields, listed(names), tuple(sorted(frames + tuple(whole))), (clue,))


def past_when(rng: Rng, footage: Footage) -> Drawn | None:
    """The time at which a thing that was shown in one stretch came into view; without a clock nobody knows."""
    shown = _appearances(footage)
    if rng.random() < 0.15:
        taken = {pair for view in footage.views for pair in _pairs(view)} | _vague(footage)
        kind, colour = pick(rng, KINDS), pick(rng, list(COLOURS))
        if (kind, colour) in taken or (kind, colour) not in footage.pairs:
            return None
        return Drawn({"thing": a(f"{colour} {kind}")}, NOT_SEEN)
    if not shown:
        return None
    pair = sorted(shown)[rng.integers(len(shown))]
    fields = {"thing": a(f"{pair[1]} {pair[0]}")}
    if footage.stamps is None:
        return Drawn(fields, NO_CLOCK, shown[pair]) if rng.random() < 0.3 else None
    return Drawn(fields, f"at {footage.stamps[shown[pair][0]]}", shown[pair], shown[pair][:1])


PAST: dict[str, Callable[[Rng, Footage], Drawn | None]] = {
    "past_colour": past_colour,
    "past_thing": past_thing,
    "past_sign": past_sign,
    "past_did": past_did,
    "past_first": past_first,
    "past_next": past_next,
    "past_when": past_when,
}
