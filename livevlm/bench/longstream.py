"""Long streams: hours of known content, in which needles are shown once and asked about after so many minutes.

Needles stand for one to three frames, alone or beside another thing, and are asked about at each distance that the stream
is long enough for. A distance is the stream time from the last frame that shows the needle (of two, the later) to the newest
frame when the question is asked. Half of the needles stand where every distance fits, the others anywhere. Around them are
shots of distractors (`livevlm.bench.casting`), which come back again and again. Wordings are those that training never used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from livevlm.bench.casting import Cast, draw_cast, sizes
from livevlm.errors import ConfigError
from livevlm.timestamps import clock_text
from livevlm.training.bank import LOOKS, film_scenes
from livevlm.training.camera import film
from livevlm.training.past import EARLIER, LATER
from livevlm.training.present import NOW
from livevlm.training.questions import Drawn, Exchange, Footage, a, draw_exchange, pick
from livevlm.training.reels import draw_shots
from livevlm.training.views import View, view_of
from streams import Frame
from streams.scene import SIGNS
from streams.staging import Pair, place

Rng = np.random.Generator
Picture = npt.NDArray[np.uint8]
NOW_TYPES = ("now_colour", "now_shape", "now_count")
CELL = 4  # frames from one place for a needle to the next: a needle has at most one less
SCENES = 96  # scenes of distractors at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a stream is like. questions: of each type, as needles; every needle gives one at each distance. side: of the
    pictures, in pixels. stamped: whether the model is told the time, so that "when" can be asked.
    """

    minutes: float
    fps: float
    distances: tuple[float, ...]
    questions: int
    side: int
    stamped: bool = False

    @property
    def frames(self) -> int:
        """How many the stream has."""
        return round(self.minutes * 60 * self.fps)

    def steps(self) -> dict[float, int]:
        """The distances, in minutes, that fit behind a needle, each with its frames."""
        found = {minutes: round(minutes * 60 * self.fps) for minutes in self.distances}
        return {minutes: step for minutes, step in found.items() if 0 < step <= self.frames - CELL}


@dataclass(frozen=True, slots=True)
class Needle:
    """A pair that is shown in the frames `first` to `last` and in no other."""

    pair: Pair
    first: int
    last: int

    @property
    def name(self) -> str:
        """ "red star"."""
        return f"{self.pair[1]} {self.pair[0]}"

    @property
    def frames(self) -> tuple[int, ...]:
        """All of them."""
        return tuple(range(self.first, self.last + 1))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for the moment when frame `at` is the newest. minutes: the distance; None for questions about now."""

    at: int
    minutes: float | None
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class LongStream:
    """pictures: the distinct ones; shown: per frame, which of them; asked: in the order of time."""

    fps: float
    pictures: Sequence[Picture]
    shown: Sequence[int]
    footage: Footage
    asked: Sequence[Asked]

    def seconds(self, frame: int) -> float:
        """The stream time of a frame."""
        return frame / self.fps

    def frames(self, name: str) -> Iterator[Frame]:
        """All frames, as a stream of that name."""
        for number, picture in enumerate(self.shown):
            at = self.seconds(number)
            yield Frame(name, number, at, at, self.pictures[picture])


def draw_stream(rng: Rng, plan: Plan, pairs: Sequence[Pair]) -> LongStream:
    """A stream after the plan, of things out of the pairs. ConfigError where it is too short for any needle."""
    count, cells = _room(plan)
    cast = draw_cast(rng, count, pairs)
    needles = _place(rng, cast, cells)
    scenes = max(8, min(SCENES, plan.frames // LOOKS))
    pictures, looks = film_scenes(rng, scenes, cast.others, plan.side)
    views_of = [view for scene in looks for view in scene]
    drawn, look, cuts = draw_shots(rng, plan.frames, scenes)
    shown = (drawn * LOOKS + look).tolist()
    for needle in (one for some in needles.values() for one in some):
        images, views = _film(rng, needle, cast.others, plan.side)
        for frame, image, view in zip(needle.frames, images, views, strict=True):
            shown[frame] = len(pictures)
            cuts[frame] = -needle.first - 1
            pictures.append(image)
            views_of.append(view)
    stamps = [clock_text(frame / plan.fps) for frame in range(plan.frames)]
    footage = Footage(
        [views_of[picture] for picture in shown], _numbered(cuts), stamps if plan.stamped else None
    )
    asked = [*_about_needles(rng, plan, footage, needles, cast.absent), *_now(rng, footage, count)]
    return LongStream(plan.fps, pictures, shown, footage, sorted(asked, key=lambda one: one.at))


def _room(plan: Plan) -> tuple[int, tuple[list[int], list[int]]]:
    """How many questions of each type there is room for, and where needles may stand: from where every distance fits, and
    from where the shortest does. Needles take half of the places at most: the stream is made of distractors.
    """
    steps = plan.steps().values()
    if steps:
        starts = range(0, plan.frames - min(steps) - CELL + 1, CELL)
        early = [start for start in starts if start + CELL + max(steps) <= plan.frames]
        late = [start for start in starts if start not in early]
        for count in range(plan.questions, 0, -1):
            numbers = sizes(count).values()
            wanted = [sum((number + 1) // 2 for number in numbers), sum(n // 2 for n in numbers)]
            wanted = wanted if late else [sum(numbers), 0]
            if 2 * wanted[0] <= len(early) and 2 * wanted[1] <= len(late):
                return count, (early, late)
    raise ConfigError(
        f"{plan.minutes:g} minutes at {plan.fps:g} frames a second are {plan.frames} frames, too few to show things and ask "
        f"about them {min(plan.distances):g} minutes later: set a longer --minutes, or a higher --fps"
    )


def _place(rng: Rng, cast: Cast, cells: tuple[list[int], list[int]]) -> dict[str, list[Needle]]:
    early, late = (rng.permutation(part).tolist() for part in cells)
    needles: dict[str, list[Needle]] = {}
    for type_, pairs in cast.needles.items():
        for number, pair in enumerate(pairs):
            first = late.pop() if number % 2 and cells[1] else early.pop()
            last = first + int(rng.integers(CELL - 1))
            needles.setdefault(type_, []).append(Needle(pair, first, last))
    return needles


def _film(
    rng: Rng, needle: Needle, others: Sequence[Pair], side: int
) -> tuple[list[Picture], list[View]]:
    """A picture a frame; in half of the cases something else stands beside the needle."""
    kind, colour = needle.pair
    names = [needle.pair]
    if rng.random() < 0.5:
        beside = [
            pair
            for pair in others
            if pair[0] != kind and pair[1] != colour and not (pair[0] in SIGNS and kind in SIGNS)
        ]
        names.append(beside[int(rng.integers(len(beside)))])
    scene = place(rng, names)
    moments = (rng.uniform(0, 1) + np.arange(len(needle.frames))).tolist()
    views = [view_of(scene, moment) for moment in moments]
    assert all(needle.pair in [thing.pair for thing in view.things] for view in views), needle
    return film(rng, scene, moments, side), views


def _numbered(cuts: Sequence[int]) -> list[int]:
    """Shots counted from 0: a new one wherever the mark changes."""
    return [0, *np.cumsum(np.diff(cuts) != 0).tolist()]


def _about_needles(
    rng: Rng,
    plan: Plan,
    footage: Footage,
    needles: dict[str, list[Needle]],
    absent: Sequence[Pair],
) -> Iterator[Asked]:
    """At each distance that fits; a question about what was never shown goes with every "did ... appear?" about what was."""

    def asked(type_: str, last: int, drawn: Drawn) -> Iterator[Asked]:
        for minutes, step in plan.steps().items():
            if last + step < plan.frames:
                exchange = draw_exchange(rng, footage, type_, lambda *_: drawn, unsaid=True)
                assert exchange is not None
                yield Asked(last + step, minutes, exchange)

    for type_ in ("past_colour", "past_thing", "past_sign"):
        for needle in needles[type_]:
            yield from asked(type_, needle.last, _look(type_, needle))
    inorder = sorted(needles["past_did"], key=lambda one: one.first)
    for needle, (kind, colour) in zip(inorder, absent, strict=True):
        said = {"thing": a(needle.name)}
        yield from asked("past_did", needle.last, Drawn(said, "yes", needle.frames))
        yield from asked("past_did", needle.last, Drawn({"thing": a(f"{colour} {kind}")}, "no"))
        if footage.stamps is not None:
            when = f"at {footage.stamps[needle.first]}"
            yield from asked("past_when", needle.last, Drawn(said, when, needle.frames))
    for early, late in pairwise(inorder):
        yield from asked("past_first", late.last, _order(rng, early, late))


def _look(type_: str, needle: Needle) -> Drawn:
    kind, colour = needle.pair
    if type_ == "past_colour":
        return Drawn({"kind": kind}, colour, needle.frames)
    return Drawn({"hue": colour}, kind.removesuffix(" sign"), needle.frames)


def _order(rng: Rng, early: Needle, late: Needle) -> Drawn:
    first = bool(rng.random() < 0.5)
    one, two = (early, late) if rng.random() < 0.5 else (late, early)
    fields = {"a": one.name, "b": two.name, "first": pick(rng, EARLIER if first else LATER)}
    return Drawn(fields, f"the {(early if first else late).name}", early.frames + late.frames)


def _now(rng: Rng, footage: Footage, count: int) -> Iterator[Asked]:
    """Twice as many of each type as there are needles of one, at any time."""
    for type_ in NOW_TYPES:
        asked = 0
        # Not every moment allows every type; a stream that hardly ever does gives fewer.
        for at in rng.integers(len(footage.views), size=60 * count).tolist():
            recent = slice(max(0, at - LOOKS + 1), at + 1)
            shown = Footage(footage.views[recent], footage.shots[recent])
            exchange = draw_exchange(rng, shown, type_, NOW[type_], unsaid=True)
            if exchange is not None and asked < 2 * count:
                asked += 1
                yield Asked(at, None, exchange)
