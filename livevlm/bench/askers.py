"""Many askers at once: tokens a second, and how long each waits, decoded in one walk of the model against a walk for each.

So many questions come in the same moment, about a few streams whose memories are full, to the daemon's own engine. `one walk`
is the engine as it is, `a walk each` the same engine with a walk for every answer. No token ends an answer, so that all are as
long as they may be.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from livevlm.backbone import Backbone
from livevlm.bench.asking import Ceiling, Endless, Stopwatch, Views
from livevlm.bench.report import arguments, machine, numbers, report
from livevlm.engine import Engine, EngineOptions
from livevlm.messages import Answer, Measure, Measured, Question
from livevlm.models import load_backbone
from livevlm.remembering import MemoryRecipe

TEXT = "What colour was the star that was in view before the circle?"
ENOUGH_S = 1.0  # few askers are soon answered: they ask again until so many seconds were measured
CLOCKS = {"wall": time.perf_counter, "processor": time.thread_time}
WAYS = {"one walk": True, "a walk each": False}


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = arguments("askers", __doc__ or "")
    parser.add_argument("--askers", type=numbers, default=numbers("1,2,4,8,16,32"))
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--budget-tokens", type=int, default=0, help="0: the model's own")
    parser.add_argument("--tokens", type=int, default=32, help="of each answer")
    parser.add_argument("--fps", type=float, default=1.0, help="of each stream, while it runs")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="processor: of this thread, where others use the machine; with --threads 1",
    )
    parser.add_argument("--seconds", type=float, default=ENOUGH_S, help="measured of each row")
    options = parser.parse_args(argv)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    views = {f"stream{n}": Views(backbone.frame_size) for n in range(options.streams)}
    clock = CLOCKS[options.clock]
    engine = EngineOptions(
        max_active=max(options.askers),
        max_waiting=max(options.askers),
        memory=MemoryRecipe(budget_tokens=options.budget_tokens),
    )
    room = Room(backbone, views, engine, clock)
    ceiling = Ceiling.measure(backbone, clock)
    rows = []
    for askers in options.askers:
        runs = measure(room, askers, options)
        ended = runs["one walk", False].answers[:askers]
        least_ms = ceiling.walk_ms(backbone, [one.context_tokens for one in ended])
        rows += [row(askers, way, runs, least_ms) for way in WAYS]
    settings = {
        "model": options.model,
        "dtype": str(backbone.dtype),
        "streams": options.streams,
        "fps": options.fps,
        "answer_tokens": options.tokens,
        "clock": options.clock,
        "weight_bytes": backbone.weight_bytes,
        "read_gb_per_s": round(ceiling.bytes_per_s / 1e9, 1),
        "gemm_gflops": round(ceiling.flops_per_s / 1e9, 1),
        **machine(backbone.device),
    }
    report("askers", settings, rows, as_json=options.json)
    return 0


@dataclass
class Run:
    """What was seen of some askers, over and over."""

    answers: list[Answer] = field(default_factory=list)
    decoded_s: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    frames: int = 0

    def tokens_per_s(self) -> float:
        """Of all answers together, from the questions to the last token."""
        return sum(one.answer_tokens for one in self.answers) / self.elapsed_s

    def first_ms(self, percent: int) -> float:
        """How long the first token took, that many percent of the askers at most."""
        return 1000 * percentile([one.timings.ttft_s for one in self.answers], percent)

    def between_ms(self, percent: int) -> float:
        """The mean time between an answer's tokens, for that many percent of the askers at most."""
        each = [one.timings.decode_s / max(1, one.answer_tokens - 1) for one in self.answers]
        return 1000 * percentile(each, percent)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed: one that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Room:
    """An engine, its streams with full memories, and whoever asks about them."""

    def __init__(
        self,
        backbone: Backbone,
        views: Mapping[str, Views],
        options: EngineOptions,
        clock: Callable[[], float],
    ) -> None:
        """options: the engine's, with room for all askers. clock: monotonic seconds, by which all is measured."""
        self.model, self._watch, self._views = Endless(backbone), Stopwatch(), views
        self._clock = clock
        self._engine = Engine(
            self.model,
            streams=[one.stream(name) for name, one in views.items()],
            options=options,
            metrics=self._watch,
            clock=clock,
        )
        while not self._full():
            self._show(4)
            while self._engine.step():
                pass

    def ask(self, run: Run, *, askers: int, tokens: int, fps: float) -> None:
        """So many ask at once, each about a stream, while each stream shows so many pictures a second; noted in the run."""
        names, ended = list(self._views), list[Answer]()

        def sink(event: object) -> None:
            if isinstance(event, Answer):
                ended.append(event)

        self._watch.decoded_s.clear()
        frames, shown = self._frames(), int(fps * run.elapsed_s)
        began = self._clock()
        for number in range(askers):
            about = names[number % len(names)]
            asked = Question(
                id=str(number), stream=about, text=TEXT, max_tokens=tokens, asker=str(number)
            )
            self._engine.submit(asked, sink)
        while len(ended) < askers:
            due = int(fps * (run.elapsed_s + self._clock() - began))
            self._show(due - shown)
            shown = due
            self._engine.step()
        run.elapsed_s += self._clock() - began
        run.frames += self._frames() - frames
        run.answers += ended
        run.decoded_s += self._watch.decoded_s
        while self._engine.step():
            pass

    def _show(self, count: int) -> None:
        for views in self._views.values():
            views.show(count)

    def _frames(self) -> int:
        return sum(one.frames_encoded for one in self._engine.streams())

    def _full(self) -> bool:
        """Whether each memory has begun to drop tokens: a young one is cheaper to read."""
        told: list[object] = []
        self._engine.errand(Measure(), told.append)
        self._engine.step()
        (sizes,) = told
        assert isinstance(sizes, Measured)
        return all(one.evicted_tokens > 0 for one in sizes.memories)


def measure(room: Room, askers: int, options: argparse.Namespace) -> dict[tuple[str, bool], Run]:
    """Each way, quiet and beside ingest, in turns, so that what else the machine does hits all alike."""
    runs = {(way, busy): Run() for way in WAYS for busy in (False, True)}
    while min(run.elapsed_s for run in runs.values()) < options.seconds:
        for (way, busy), run in runs.items():
            room.model.together = WAYS[way]
            fps = options.fps if busy else 0.0
            room.ask(run, askers=askers, tokens=options.tokens, fps=fps)
    return runs


def row(
    askers: int, way: str, runs: Mapping[tuple[str, bool], Run], least_ms: float
) -> dict[str, Any]:
    """A line of the table. of_ceiling: the share of its time that a step's decoding would take at the machine's best."""
    quiet, busy = runs[way, False], runs[way, True]
    decode_ms = 1000 * statistics.median(quiet.decoded_s)
    return {
        "askers": askers,
        "way": way,
        "tokens_per_s": quiet.tokens_per_s(),
        "first_p50_ms": quiet.first_ms(50),
        "first_p95_ms": quiet.first_ms(95),
        "between_p50_ms": quiet.between_ms(50),
        "between_p95_ms": quiet.between_ms(95),
        "decode_ms": decode_ms,
        "of_ceiling": least_ms / decode_ms,
        "busy_tokens_per_s": busy.tokens_per_s(),
        "busy_first_p95_ms": busy.first_ms(95),
        "busy_between_p50_ms": busy.between_ms(50),
        "busy_frames_per_s": busy.frames / busy.elapsed_s,
    }
