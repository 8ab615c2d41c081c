"""Player: what `livevlm replay` does once its words are understood. Only this part of it needs the model's libraries."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import replace

from livevlm.assembly import build_backbone, build_engine
from livevlm.cli import fail
from livevlm.cli.output import clock, event_json, evidence_line, print_json, size
from livevlm.cli.replay import UNREACHABLE, live
from livevlm.config import Config
from livevlm.messages import Answer, StreamStatus
from livevlm.metrics import Metrics
from livevlm.replay import Feed, Pace, TimedQuestion, replay, stream_of
from livevlm.service.wire import status_json
from streams import Sampler, SourceOptions, StreamError, open_source, redact

PARTIAL = 6
HOW = (
    'to ask about it: livevlm replay VIDEO --ask "what do you see?",'
    ' or at 12.5 s of it --ask "12.5=what do you see?"'
)


def play(args: argparse.Namespace, config: Config, questions: list[TimedQuestion]) -> int:
    """Watch the recording and print the answers, or without a question what was watched; the exit code."""
    # Nothing else may be heard of it for minutes.
    print(
        f"loading the model {config.model.name}, then watching {redact(args.video)}",
        file=sys.stderr,
    )
    if not questions:
        print(f"there is no question; {HOW}", file=sys.stderr)
    answered, well = 0, True
    try:
        for told in _play(args, config, questions):
            if isinstance(told, StreamStatus):
                _sum_up(told, args)
                continue
            timed, answer = told
            _print(timed, answer, args)
            answered += 1
            well = well and answer.failure is None
    except StreamError as error:
        return fail(error.message, PARTIAL if answered else UNREACHABLE)
    return 0 if well else PARTIAL


def _play(
    args: argparse.Namespace, config: Config, questions: list[TimedQuestion]
) -> Iterator[tuple[TimedQuestion, Answer] | StreamStatus]:
    """The answers; where nothing was asked, how the stream is in the end."""
    backbone = build_backbone(config)
    options = SourceOptions(
        size=backbone.frame_size, keep=Sampler(config.ingest.fps).keep, clock=lambda: 0.0
    )
    with open_source(args.video, name="replay", options=options) as source:
        if source.live and not args.video.lower().startswith(("-", "pipe:")):
            raise live(args.video)  # Over HTTP only opening tells.
        feed = Feed(source, start_utc=args.start or 0.0, pace=Pace(speed=args.speed))
        stream = stream_of(feed, redact(args.video))
        engine = build_engine(backbone, config, [stream], Metrics())
        yield from replay(engine, feed, questions)
        if not questions:
            yield from engine.streams()
        engine.close()


def _sum_up(status: StreamStatus, args: argparse.Namespace) -> None:
    """What was watched; the memory of it ends with this command."""
    if args.json:
        print_json({"type": "stream", **status_json(status)})
        return
    seen = "nothing" if status.as_of is None else f"up to {clock(status.as_of.stream_s)}"
    tokens = ", ".join(f"{tier} {count}" for tier, count in status.memory_tokens.items())
    print(
        f"watched {redact(args.video)}: {status.frames_encoded} frames, {seen};"
        f" tokens remembered: {tokens or 'none'} ({size(status.memory_bytes)})"
    )


def _print(timed: TimedQuestion, answer: Answer, args: argparse.Namespace) -> None:
    at_s = None if math.isinf(timed.at_s) else timed.at_s
    if args.json:
        asked = {"id": timed.question.id, "at": at_s, "question": timed.question.text}
        print_json(asked | event_json(_unpictured(answer)))
        return
    print(f"[{'end' if at_s is None else clock(at_s)}] {timed.question.text}")
    failed = answer.failure
    print(f"  {answer.text}" if failed is None else f"  no answer: {failed.message}")
    for evidence in answer.evidence:
        print(f"    seen: {evidence_line(evidence, day=args.start is not None)}")


def _unpictured(answer: Answer) -> Answer:
    """Without thumbnails: there is no daemon to fetch them from."""
    return replace(answer, evidence=tuple(replace(one, picture=None) for one in answer.evidence))
