"""`livevlm eval`: ask a model about new recordings of known content, and count what it gets right."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Protocol, cast

from livevlm.cli import load_module
from livevlm.cli.parsing import add_config, add_json, flags_of, loaded, parser_for
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.training.wordings import TYPES

_SETTINGS = {
    "model": ("model", "name"),
    "retention": ("memory", "retention"),
    "reader": ("memory", "reader"),
    "budget_tokens": ("memory", "budget_tokens"),
    "timestamps": ("ingest", "timestamps"),
}


class Invigilate(Protocol):
    """As `livevlm.cli.invigilator.invigilate`."""

    def __call__(self, args: argparse.Namespace, config: Config, types: Sequence[str]) -> int: ...


def main(argv: Sequence[str]) -> int:
    """Film, ask, and print a table a set of things: those that training showed, and those that it never did."""
    args = _parser().parse_args(argv)
    config = loaded(args, flags=flags_of(args, _SETTINGS)).config
    types = args.types.split(",") if args.types else TYPES
    unknown = [type_ for type_ in types if type_ not in TYPES]
    if unknown:
        raise ConfigError(f"--types: {unknown[0]} is not known; there are {', '.join(TYPES)}")
    # Only now the heavy part: a mistake on the command line or in a file is told at once.
    invigilate = load_module("livevlm.cli.invigilator").invigilate
    return cast(Invigilate, invigilate)(args, config, types)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("eval", __doc__ or "")
    add_config(parser)
    parser.add_argument("--model", metavar="M", help="bundled, a folder, or a Hugging Face name")
    parser.add_argument(
        "--frames",
        type=_numbers,
        default=(1, 4, 16, 32, 64),
        metavar="N,N",
        help="lengths (1,4,16,32,64)",
    )
    parser.add_argument(
        "--recordings", type=_count, default=40, metavar="N", help="of each length (40)"
    )
    parser.add_argument("--types", metavar="TYPE,TYPE", help="of questions; all, if not given")
    parser.add_argument("--retention", metavar="NAME", help="what stays when the budget is full")
    parser.add_argument("--reader", metavar="NAME", help="what a question reads")
    parser.add_argument("--budget-tokens", metavar="N", help="long-term tokens")
    parser.add_argument(
        "--timestamps", action="store_const", const="true", help="times before frames"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what is filmed (1)")
    add_json(parser)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(_count(part) for part in text.split(",")))


def _count(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
