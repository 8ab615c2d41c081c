"""`livevlm replay`: watch a recording without a daemon, and answer each question from what was seen up to its time."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from livevlm.assembly import build_backbone, build_engine
from livevlm.cli import fail
from livevlm.cli.logs import start_logging
from livevlm.cli.output import clock, event_json, evidence_line, print_json
from livevlm.cli.parsing import add_config, add_json, flags_of, loaded, parser_for
from livevlm.cli.questions import read_questions
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.messages import Answer
from livevlm.metrics import Metrics
from livevlm.replay import Feed, Pace, TimedQuestion, replay, stream_of
from livevlm.service.wire import posix_seconds
from streams import Sampler, SourceOptions, StreamError, may_end, open_source, redact
from streams.errors import AddressUnsupported

UNREACHABLE, PARTIAL = 3, 6
_SETTINGS = {
    "fps": ("ingest", "fps"),
    "retention": ("memory", "retention"),
    "budget_tokens": ("memory", "budget_tokens"),
    "model": ("model", "name"),
    "timestamps": ("ingest", "timestamps"),
}


def main(argv: Sequence[str]) -> int:
    """Replay, print the answers; exit code 6 where one of them failed."""
    args = _parser().parse_args(argv)
    start_logging(0 if args.verbose else -1)
    config = loaded(args, flags=flags_of(args, _SETTINGS)).config
    questions = read_questions(args.ask, args.questions, config.answer)
    answered = 0
    try:
        if not may_end(args.video):
            raise _live(args.video)
        # Nothing else may be heard of it for minutes.
        print(
            f"loading the model {config.model.name}, then watching {redact(args.video)}",
            file=sys.stderr,
        )
        well = True
        for timed, answer in _replay(args, config, questions):
            _print(timed, answer, args)
            answered += 1
            well = well and answer.failure is None
    except AddressUnsupported as error:
        raise ConfigError(error.message) from error
    except StreamError as error:
        return fail(error.message, PARTIAL if answered else UNREACHABLE)
    return 0 if well else PARTIAL


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("replay", __doc__ or "")
    parser.add_argument(
        "video",
        metavar="VIDEO",
        help="a file, a folder of images as dir:FOLDER, - (standard input), http(s)://, or test:",
    )
    add_config(parser)
    parser.add_argument(
        "--ask",
        action="append",
        default=[],
        metavar="[T=]QUESTION",
        help='ask at a stream time in seconds, as "12.5=what is red?"; without one, at the end',
    )
    parser.add_argument("--questions", type=Path, metavar="FILE", help="JSON Lines: at, question")
    parser.add_argument("--fps", metavar="N", help="frames a second looked at")
    parser.add_argument("--retention", metavar="NAME", help="what stays when the budget is full")
    parser.add_argument("--budget-tokens", metavar="N", help="long-term tokens")
    parser.add_argument("--model", metavar="M", help="bundled, a folder, or a Hugging Face name")
    parser.add_argument(
        "--timestamps",
        action="store_const",
        const="true",
        help="put each frame's stream time before it as text",
    )
    parser.add_argument(
        "--speed", type=_speed, default="max", metavar="X", help="max, or times real time"
    )
    parser.add_argument(
        "--start", type=_start, default=None, metavar="T", help="UTC of the first frame, RFC 3339"
    )
    parser.add_argument("-v", "--verbose", action="store_true")
    add_json(parser)
    return parser


def _replay(
    args: argparse.Namespace, config: Config, questions: list[TimedQuestion]
) -> Iterator[tuple[TimedQuestion, Answer]]:
    backbone = build_backbone(config)
    options = SourceOptions(
        size=backbone.frame_size, keep=Sampler(config.ingest.fps).keep, clock=lambda: 0.0
    )
    with open_source(args.video, name="replay", options=options) as source:
        if source.live and not args.video.lower().startswith(("-", "pipe:")):
            raise _live(args.video)  # Over HTTP only opening tells.
        feed = Feed(source, start_utc=args.start or 0.0, pace=Pace(speed=args.speed))
        stream = stream_of(feed, redact(args.video))
        engine = build_engine(backbone, config, [stream], Metrics())
        yield from replay(engine, feed, questions)
        engine.close()


def _live(url: str) -> ConfigError:
    return ConfigError(f"{redact(url)} is live; replay needs a recording")


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


def _speed(text: str) -> float | str:
    if text == "max":
        return text
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no speed: write max, 1, 2.5 ...")
    return speed


def _start(text: str) -> float:
    try:
        return posix_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
