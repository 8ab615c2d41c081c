"""View: what is to be seen in a frame of known content, in the words that questions use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from streams.scene import Scene
from streams.staging import Pair

# A thing is in view from this share of it on, and out of view below the other; in between nothing is asked about it.
PLAIN, GONE = 0.7, 0.03
# How far from a third's border a thing must be to be called left or right of it, and how far apart two things must be; one
# lies above another, say, where it is at least twice as far up as it is aside.
MARGIN, APART = 0.045, 0.2
# How far a thing goes from frame to frame at least if it moves, and at most if it does not.
MOVES, RESTS = 0.05, 0.02


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing in view, with its centre as fractions of the frame."""

    kind: str
    colour: str
    x: float
    y: float

    @property
    def pair(self) -> Pair:
        """(kind, colour)."""
        return self.kind, self.colour

    @property
    def name(self) -> str:
        """ "red star"."""
        return f"{self.colour} {self.kind}"


@dataclass(frozen=True, slots=True)
class View:
    """The things in view in reading order, and the pairs of those half in view."""

    things: tuple[Thing, ...]
    vague: tuple[Pair, ...] = ()


def view_of(scene: Scene, seconds: float) -> View:
    """What a scene shows at a moment."""
    things, vague = [], []
    for sprite in scene.sprites:
        share = scene.visible(sprite, seconds)
        if share >= PLAIN:
            things.append(Thing(sprite.kind, sprite.colour, *sprite.centre_at(seconds)))
        elif share > GONE:
            vague.append((sprite.kind, sprite.colour))
    return View(tuple(sorted(things, key=_reading_order)), tuple(vague))


def _reading_order(thing: Thing) -> tuple[int, float]:
    """By rows, and from left to right in a row."""
    return int(thing.y * 3), thing.x


def place_of(thing: Thing) -> str | None:
    """Where in the frame it is, by thirds: "top left", "middle", "right"; None too near a border."""
    if any(abs(part - border) < MARGIN for part in (thing.x, thing.y) for border in (1 / 3, 2 / 3)):
        return None
    column = ("left", "", "right")[min(2, max(0, int(thing.x * 3)))]
    row = ("top", "", "bottom")[min(2, max(0, int(thing.y * 3)))]
    return " ".join(part for part in (row, column) if part) or "middle"


def relation_of(one: Thing, other: Thing) -> str | None:
    """How one lies to the other: "left of", "right of", "above", "below"; None where no single word says it."""
    dx, dy = one.x - other.x, one.y - other.y
    if abs(dx) > APART and abs(dx) > 2 * abs(dy):
        return "left of" if dx < 0 else "right of"
    if abs(dy) > APART and abs(dy) > 2 * abs(dx):
        return "above" if dy < 0 else "below"
    return None


def motion_of(track: Sequence[Thing]) -> str | None:
    """Which way a thing went over successive frames: "left", "right", "up", "down" or "still"; None if unclear."""
    steps = [(b.x - a.x, b.y - a.y) for a, b in pairwise(track)]
    if all(abs(dx) < RESTS and abs(dy) < RESTS for dx, dy in steps):
        return "still"
    for way, sign, axis in (("left", -1, 0), ("right", 1, 0), ("up", -1, 1), ("down", 1, 1)):
        if all(sign * step[axis] > MOVES and abs(step[1 - axis]) < RESTS for step in steps):
            return way
    return None
