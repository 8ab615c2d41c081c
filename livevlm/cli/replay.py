"""`livevlm replay`: watch a recording without a daemon, and answer each question from what was seen up to its time."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from livevlm.cli import fail, load_module
from livevlm.cli.logs import start_logging
from livevlm.cli.parsing import add_config, add_json, flags_of, loaded, parser_for
from livevlm.cli.questions import read_questions
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.service.wire import posix_seconds
from livevlm.timed import TimedQuestion
from streams import StreamError, may_end, redact
from streams.absence import check_there
from streams.errors import AddressUnsupported

UNREACHABLE = 3
_SETTINGS = {
    "fps": ("ingest", "fps"),
    "retention": ("memory", "retention"),
    "budget_tokens": ("memory", "budget_tokens"),
    "model": ("model", "name"),
    "timestamps": ("ingest", "timestamps"),
}


class Play(Protocol):
    """As `livevlm.cli.player.play`."""

    def __call__(
        self, args: argparse.Namespace, config: Config, questions: list[TimedQuestion]
    ) -> int: ...


def main(argv: Sequence[str]) -> int:
    """Replay, print the answers; exit code 6 where one of them failed."""
    args = _parser().parse_args(argv)
    start_logging(0 if args.verbose else -1)
    config = loaded(args, flags=flags_of(args, _SETTINGS)).config
    questions = read_questions(args.ask, args.questions, config.answer)
    try:
        if not may_end(args.video):
            raise live(args.video)
        check_there(args.video)
    except AddressUnsupported as error:
        raise ConfigError(error.message) from error
    except StreamError as error:
        return fail(error.message, UNREACHABLE)
    # Only now the heavy part: a mistake on the command line or in a file is told at once.
    return cast(Play, load_module("livevlm.cli.player").play)(args, config, questions)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(
        "replay", __doc__ or "", stray='questions are asked with --ask "what is red?"'
    )
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


def live(url: str) -> ConfigError:
    """The complaint about a source that has no end."""
    return ConfigError(f"{redact(url)} is live; replay needs a recording")


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
