"""What memories are worth: long streams of known content go through the daemon's own engine once a memory, questions with
known answers are asked on the way, and an answer counts when it is the right words.

Streams (`livevlm.bench.longstream`) show needles once, among distractors, and ask about them 1, 5, 30 and 120 minutes later:
what colour, what thing, what a sign said, did it appear (with as many that never did), which of two came first, and, where
`ingest.timestamps` tells the model the time, when; and about now: colour, shape, how many. Wordings are none of training's.

Memories (`livevlm.bench.contenders`) are named by retention, reader and what more they have (`+archive`), and by their share:
the tokens that they hold on the device, short-term frames among them, of those of the whole stream. Bytes are what the memory
says that it has allocated when the stream ends; room for one chunk and the page table are in them, so that they are more than
the share, in small memories a good deal (`device_of_everything` in the JSON line).

**What they are held against.** The bundled model reads 1 280 positions at once, some 70 frames. In streams of 4 minutes, at
the default of a frame every four seconds, everything is kept and everything is read (`full+full`): the model without any
memory between it and the stream, and so its own ability; types that it cannot answer there are left out of conclusions. In
longer streams no such reference exists. `full+par`, `full+par+near` and `full+rekv` keep everything there and read a part of
it, and the best of them is the reference; but while the first and the last watch, new frames attend to far more than the
model was trained to read (ReKV to the newest 15 000 tokens), which may cost them, and in the second to the newest 1 024
tokens alone. So a memory may be better than that reference, and that says less than to come near `full+full`. A memory's
share is measured in streams of which the model can read it: 1/4 of 4 minutes, 1/4 and 1/16 of 16, 1/44 and 1/100 of 125. What
does not fit is skipped, with a line that says why.

Everything follows from --seed, but for the times. With another --fps choose other --minutes: the shares are of frames.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from livevlm.assembly import build_backbone
from livevlm.backbone import Backbone
from livevlm.bench import chart
from livevlm.bench.contenders import MEMORIES, Contender, Skipped, enter, known, tokens_of_frame
from livevlm.bench.encodings import EncodedOnce
from livevlm.bench.longstream import Plan, draw_stream
from livevlm.bench.report import machine
from livevlm.bench.sitting import Sitting, sit
from livevlm.bench.tally import (
    Result,
    Weak,
    conclusions,
    detail_table,
    row,
    said,
    shares,
    shown,
    summary_table,
    weak_types,
)
from livevlm.cli.output import print_table
from livevlm.cli.parsing import add_config, flags_of, loaded, parser_for
from livevlm.cli.progress import progress
from livevlm.config import Config
from livevlm.training.pairing import SEEN

_SETTINGS = {
    "model": ("model", "name"),
    "device": ("model", "device"),
    "dtype": ("model", "dtype"),
    "threads": ("model", "threads"),
    "timestamps": ("ingest", "timestamps"),
}
# Shorter streams are as many more, up to this: they give fewer questions, and the model's own ability is read from them.
MOST_TIMES = 12
# Whom conclusions are about: the first of these that takes part.
OURS = ("vsb+par+archive", "vsb+par")
QUICK = {"minutes": (4.0, 16.0), "questions": 2, "streams": 1}
FULL = {"minutes": (4.0, 16.0, 125.0), "questions": 4, "streams": 1}


@dataclass(frozen=True, slots=True)
class Track:
    """Streams of one length, and who is shown them."""

    plan: Plan
    streams: int
    frame_tokens: int
    contenders: list[Contender]
    skipped: list[Skipped]

    @property
    def work(self) -> int:
        """In frames shown."""
        return self.plan.frames * self.streams * (len(self.contenders) + 1)


def main(argv: Sequence[str]) -> int:
    """Film, show, ask, and print."""
    options = _options(argv)
    config = loaded(options, flags=flags_of(options, _SETTINGS)).config
    if options.plot:
        chart.require()
    backbone = build_backbone(config)
    tracks = [_track(options, config, backbone, minutes) for minutes in options.minutes]
    for track in tracks:
        _tell_skipped(track)
    with progress(sum(track.work for track in tracks)) as tell:
        results = [
            result
            for number, track in enumerate(tracks)
            for result in _compete(backbone, track, (options.seed, number), tell)
        ]
    _report(options, config, backbone, tracks, results)
    return 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = parser_for("bench quality", (__doc__ or "").split("\n\n")[0])
    add_config(parser)
    parser.add_argument("--model", metavar="M", help="bundled, toy, a folder or a hub name")
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--dtype", metavar="T", help="auto, float32, bfloat16 or float16")
    parser.add_argument("--threads", metavar="N", help="CPU threads; 0: all cores")
    parser.add_argument(
        "--timestamps", action="store_const", const="true", help="times before frames; asks when"
    )
    parser.add_argument("--memories", metavar="NAME,NAME", help=f"of {', '.join(MEMORIES)}; all")
    parser.add_argument(
        "--budgets", type=_fractions, default=_fractions("1/4,1/16,1/44,1/100"), metavar="1/N,1/N"
    )
    parser.add_argument("--minutes", type=_numbers, metavar="N,N", help="lengths of streams")
    parser.add_argument("--fps", type=float, default=0.25, help="frames a second; 0.25")
    parser.add_argument("--distances", type=_numbers, default=_numbers("1,5,30,120"), metavar="N,N")
    parser.add_argument("--streams", type=int, metavar="N", help="of the longest; 1")
    parser.add_argument("--questions", type=int, metavar="N", help="needles of a type; 4")
    parser.add_argument("--floor", type=float, default=0.6, help="a type below is weak; 0.6")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="short streams alone, in a minute")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    options = parser.parse_args(argv)
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(sorted(float(part) for part in text.split(",")))


def _fractions(text: str) -> tuple[Fraction, ...]:
    try:
        found = tuple(sorted((Fraction(part) for part in text.split(",")), reverse=True))
    except (ValueError, ZeroDivisionError):
        found = (Fraction(0),)
    if not all(0 < share < 1 for share in found):
        raise argparse.ArgumentTypeError(f"{text!r}: shares lie between 0 and 1, as 1/44")
    return found


def _track(
    options: argparse.Namespace, config: Config, backbone: Backbone, minutes: float
) -> Track:
    plan = Plan(
        minutes=minutes, fps=options.fps, distances=options.distances, questions=options.questions,
        side=backbone.frame_size[0], stamped=config.ingest.timestamps,
    )  # fmt: skip
    times = round(max(options.minutes) / minutes / 2)
    names = known(options.memories.split(",") if options.memories else MEMORIES)
    entered = enter(backbone, config, names, options.budgets, frames=plan.frames)
    streams = options.streams * max(1, min(MOST_TIMES, times))
    return Track(plan, streams, tokens_of_frame(backbone, config), *entered)


def _tell_skipped(track: Track) -> None:
    """A line for every reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in track.skipped:
        reasons.setdefault((one.of_everything, one.why), []).append(one.name)
    for (share, why), names in reasons.items():
        print(
            f"skipped at {share} of {track.plan.minutes:g} min, {', '.join(names)}: {why}",
            file=sys.stderr,
        )


def _compete(
    backbone: Backbone, track: Track, seed: tuple[int, int], tell: Callable[[str, int], None]
) -> list[Result]:
    """Every contender is shown the same streams; their pictures are encoded once."""
    frames, minutes = track.plan.frames, track.plan.minutes
    sittings: list[list[Sitting]] = [[] for _ in track.contenders]
    for number in range(track.streams):
        tell(f"{minutes:g} min: filming {number + 1}/{track.streams}", 0)
        stream = draw_stream(np.random.default_rng((*seed, number)), track.plan, SEEN)
        looking = EncodedOnce(backbone)
        looking.look(stream.pictures)
        tell("", frames)
        for contender, sat in zip(track.contenders, sittings, strict=True):
            tell(f"{minutes:g} min, {number + 1}/{track.streams}: {contender}", 0)
            sat.append(sit(looking, contender.config, stream))
            tell("", frames)
    each = backbone.kv.bytes_per_token(backbone.dtype)
    return [
        Result(minutes, frames, frames * track.frame_tokens * each, contender, sat)
        for contender, sat in zip(track.contenders, sittings, strict=True)
    ]


def _report(
    options: argparse.Namespace,
    config: Config,
    backbone: Backbone,
    tracks: Sequence[Track],
    results: Sequence[Result],
) -> None:
    weak = weak_types(results, options.floor)
    drawn = conclusions(results, weak, _ours([one.contender.name for one in results]))
    rows = [row(one, weak) for one in results]
    if not options.json:
        for track in tracks:
            _print_track(track, [one for one in results if one.minutes == track.plan.minutes], weak)
        _print_conclusions(drawn, weak, options, config)
    if options.plot and rows:
        chart.save(rows, options.plot)
    skipped = [
        {"minutes": track.plan.minutes, "memory": one.name, "of_everything": one.of_everything, "why": one.why}
        for track in tracks
        for one in track.skipped
    ]  # fmt: skip
    found = {
        "bench": "quality", "model": config.model.name, "dtype": str(backbone.dtype), "seed": options.seed,
        "fps": options.fps, "questions": options.questions, "streams": [track.streams for track in tracks],
        "floor": options.floor, "weak": {name: shares(score) for name, score in weak.items()},
        "left_out": [] if config.ingest.timestamps else ["past_when"],
        **machine(backbone.device), "conclusions": drawn, "skipped": skipped, "rows": rows,
    }  # fmt: skip
    print(json.dumps(found), flush=True)


def _ours(names: Sequence[str]) -> str:
    """Which memory conclusions are about: this project's own with all that it has."""
    return next((name for name in OURS if name in names), OURS[-1])


def _print_track(track: Track, results: Sequence[Result], weak: Weak) -> None:
    plan = track.plan
    print(
        f"\n{plan.minutes:g} minutes, {plan.frames} frames, {track.streams} streams; share right, 95 % interval"
    )
    if results:
        distances = [None, *plan.steps()]
        print_table(*detail_table(results, weak, distances))
        print(f"\nthe same, {plan.minutes:g} minutes, all types but weak ones")
        print_table(*summary_table(results, weak, distances))


def _print_conclusions(
    drawn: Sequence[Mapping[str, Any]], weak: Weak, options: argparse.Namespace, config: Config
) -> None:
    print()
    for name, score in weak.items():
        print(
            f"weak: {name}: everything kept answers {shown(score)}, less than {options.floor:.0%}: left out of what follows"
        )
    if not config.ingest.timestamps:
        print("not asked: when something appeared; that takes --timestamps")
    for one in drawn:
        print(said(one))
