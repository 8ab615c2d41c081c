"""Watches gated by what the frames look like, against asking at every frame: what is saved, what is missed, how late it comes.

Generated streams of known content: `busy` cuts to another scene every few frames, as training's do; `calm` keeps a scene for a
minute or two, in which things mostly stand, as before a fixed camera. Half of the watches are for things that the stream shows,
half for things that it never does. All gates see the same memory, which asking does not change.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from livevlm.backbone import Backbone
from livevlm.bench.newstream import new_stream
from livevlm.bench.report import arguments, machine, report
from livevlm.ingest import StreamIngest
from livevlm.models import load_backbone
from livevlm.training.bank import LOOKS, film_scenes
from livevlm.training.camera import film
from livevlm.training.pairing import SEEN
from livevlm.training.questions import a
from livevlm.training.reels import draw_shots
from livevlm.training.views import View, view_of
from livevlm.watching.board import judge_of
from livevlm.watching.gate import GateOptions
from livevlm.watching.orders import Listed, ListWatches, MakeWatch
from livevlm.watching.watch import Rule, WatchEvent, WatchRequest
from livevlm.watching.watches import Clocks, Judge, Watches, WatchOptions
from memory import StreamMemory
from streams import Frame
from streams.staging import Pair, draw_scene

STREAM = "bench"
KINDS = ("busy", "calm")
CALM_FRAMES = (60, 150)  # how long a calm scene stays, from and below
Rng = np.random.Generator
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Footage:
    """A stream's pictures, one a second, and what each shows."""

    pictures: Sequence[Picture]
    views: Sequence[View]

    def truth(self, pair: Pair) -> list[bool | None]:
        """Per frame, whether a pair is in view; None where it is half in view."""
        return [
            None if pair in view.vague else pair in [thing.pair for thing in view.things]
            for view in self.views
        ]


@dataclass(slots=True)
class Tally:
    """What became of the triggers of one gate. delays: seconds from a thing's coming to its trigger."""

    shown: int = 0
    caught: int = 0
    false: int = 0
    delays: list[int] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = arguments("watches", __doc__ or "")
    parser.add_argument("--frames", type=int, default=300, help="of each stream, one a second")
    parser.add_argument("--watches", type=int, default=8)
    parser.add_argument("--changes", type=_numbers, default=_numbers("0,0.05,0.1,0.15,0.2,0.3"))
    parser.add_argument("--longest-s", type=float, default=GateOptions().longest_s)
    parser.add_argument("--confirm", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    gates = [GateOptions(change=change, longest_s=options.longest_s) for change in options.changes]
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        rng = np.random.default_rng((options.seed, KINDS.index(kind)))
        footage = draw(rng, kind, options.frames, backbone.frame_size[0])
        pairs = choose(rng, footage, options.watches)
        rows += measure(backbone, kind, footage, pairs, gates, confirm=options.confirm)
        print(f"{kind}: {options.frames} frames are done", file=sys.stderr)
    settings = {
        "model": options.model,
        "frames": options.frames,
        "watches": options.watches,
        "longest_s": options.longest_s,
        "confirm_n": options.confirm,
        "seed": options.seed,
        **machine(backbone.device),
    }
    report("watches", settings, rows, as_json=options.json)
    return 0


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(sorted(float(part) for part in text.split(",")))


def draw(rng: Rng, kind: str, frames: int, side: int) -> Footage:
    """A stream of so many frames of (side, side) pixels."""
    if kind == "busy":
        images, looks = film_scenes(rng, max(8, frames // LOOKS), SEEN, side)
        scenes, look, _ = draw_shots(rng, frames, len(looks))
        return Footage(
            [images[place] for place in (scenes * LOOKS + look).tolist()],
            [looks[scene][at] for scene, at in zip(scenes.tolist(), look.tolist(), strict=True)],
        )
    pictures: list[Picture] = []
    views: list[View] = []
    while len(pictures) < frames:
        scene = draw_scene(rng, SEEN)
        count = min(int(rng.integers(*CALM_FRAMES)), frames - len(pictures))
        moments = (rng.uniform(0, 1) + np.arange(count)).tolist()
        pictures += film(rng, scene, moments, side)
        views += [view_of(scene, moment) for moment in moments]
    return Footage(pictures, views)


def choose(rng: Rng, footage: Footage, count: int) -> list[Pair]:
    """Half of them pairs that the stream shows, those that come most often, half pairs that it never does."""
    came: Counter[Pair] = Counter()
    seen: set[Pair] = set()
    for view in footage.views:
        pairs = {thing.pair for thing in view.things}
        came.update(pairs)
        seen |= pairs | set(view.vague)
    common = [pair for pair, _ in came.most_common()]
    absent = [pair for pair in SEEN if pair not in seen]
    never = [absent[place] for place in rng.permutation(len(absent))[: count // 2].tolist()]
    return [*common[: count - len(never)], *never]


def measure(
    backbone: Backbone,
    kind: str,
    footage: Footage,
    pairs: Sequence[Pair],
    gates: Sequence[GateOptions],
    *,
    confirm: int,
) -> list[dict[str, Any]]:
    """One row a gate."""
    ingest = new_stream(backbone, chunk=1)
    judge = Remembered(judge_of(backbone, backbone.codec.layout("")))
    posts = [Post(judge, gate, pairs, confirm) for gate in gates]
    for number, picture in enumerate(footage.pictures):
        ingest.add([Frame(STREAM, number, float(number), float(number), picture)])
        judge.known.clear()
        for post in posts:
            post.look(ingest)
    truths = {question_of(pair): footage.truth(pair) for pair in pairs}
    every = len(footage.pictures) * len(pairs)
    return [post.row(kind, truths, every) for post in posts]


def question_of(pair: Pair) -> str:
    """What is watched for."""
    return f"is there {a(f'{pair[1]} {pair[0]}')} in view?"


class Remembered:
    """A judge that judges the same of one frame only once, for all gates."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.known: dict[str, float] = {}

    def __call__(self, memory: StreamMemory, question: str) -> float:
        if question not in self.known:
            self.known[question] = self._judge(memory, question)
        return self.known[question]


class Post:
    """Watches with one gate, and what they told."""

    def __init__(
        self, judge: Judge, gate: GateOptions, pairs: Sequence[Pair], confirm: int
    ) -> None:
        self._gate = gate
        self._told: list[WatchEvent] = []
        numbers = iter(range(len(pairs)))
        self._watches = Watches(
            lambda: judge,
            WatchOptions(most=len(pairs), gate=gate),
            counts=Uncounted(),
            new_id=lambda: f"watch_{next(numbers)}",
            clocks=Clocks(utc=lambda: 0.0),
        )
        self._watches.listen(self._told.append)
        rule = Rule(cooldown_s=0.0, confirm_n=confirm)
        for pair in pairs:
            request = WatchRequest(stream=STREAM, condition=question_of(pair), rule=rule)
            self._watches.carry_out(MakeWatch(request))

    def look(self, ingest: StreamIngest) -> None:
        """The stream has shown one more frame: look until every watch had its turn."""
        self._watches.saw(STREAM)
        while self._watches.step(lambda _: ingest, busy=False):
            pass

    def row(
        self, kind: str, truths: Mapping[str, Sequence[bool | None]], every: int
    ) -> dict[str, Any]:
        """How it did."""
        listed = self._watches.carry_out(ListWatches())
        assert isinstance(listed, Listed)
        made = sum(status.evaluations for status in listed.statuses)
        tally = Tally()
        for question, truth in truths.items():
            at = [
                int(event.at.stream_s)
                for event in self._told
                if event.change == "triggered"
                and event.at is not None
                and event.watch.request.condition == question
            ]
            score(tally, truth, at)
        delays = sorted(tally.delays)
        return {
            "stream": kind,
            "change": self._gate.change,
            "evaluations": made,
            "saved": round(1 - made / every, 4),
            "shown": tally.shown,
            "missed": tally.shown - tally.caught,
            "false": tally.false,
            "delay_s_mean": round(float(np.mean(delays)), 2) if delays else 0.0,
            "delay_s_max": max(delays, default=0),
        }


class Uncounted:
    """Watches count their evaluations themselves."""

    def watch_evaluated(self, seconds: float) -> None:
        """Nothing."""

    def watch_skipped(self) -> None:
        """Nothing."""

    def watch_triggered(self) -> None:
        """Nothing."""


def score(tally: Tally, truth: Sequence[bool | None], triggers: Sequence[int]) -> None:
    """Count, of one watch, the times that the thing came, those that were told, and triggers while it was not there."""
    for first, last in spells(truth):
        tally.shown += 1
        # What is half in view may be told early.
        early = first
        while early > 0 and truth[early - 1] is None:
            early -= 1
        inside = [at for at in triggers if early <= at <= last]
        if inside:
            tally.caught += 1
            tally.delays.append(max(0, inside[0] - first))
    tally.false += sum(truth[at] is False for at in triggers)


def spells(truth: Sequence[bool | None]) -> list[tuple[int, int]]:
    """The first and last frames of each time that something is in view; half in view neither begins nor ends one."""
    found: list[tuple[int, int]] = []
    open_ = False
    for number, shown in enumerate(truth):
        if shown:
            found = [*found[:-1], (found[-1][0], number)] if open_ else [*found, (number, number)]
        if shown is not None:
            open_ = shown
    return found
