"""`livevlm eval`: ask a model about new recordings of known content, and count what it gets right."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from livevlm.assembly import build_backbone
from livevlm.cli.parsing import add_config, add_json, flags_of, loaded, parser_for
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.training.evaluate import Marked, as_json, table
from livevlm.training.exam import film, sit
from livevlm.training.pairing import SEEN, UNSEEN
from livevlm.training.wordings import TYPES
from streams.staging import Pair

_SETTINGS = {
    "model": ("model", "name"),
    "retention": ("memory", "retention"),
    "reader": ("memory", "reader"),
    "budget_tokens": ("memory", "budget_tokens"),
    "timestamps": ("ingest", "timestamps"),
}


def main(argv: Sequence[str]) -> int:
    """Film, ask, and print a table a set of things: those that training showed, and those that it never did."""
    args = _parser().parse_args(argv)
    config = loaded(args, flags=flags_of(args, _SETTINGS)).config
    results = {
        name: _examine(args, config, pairs) for name, pairs in (("seen", SEEN), ("unseen", UNSEEN))
    }
    if not args.json:
        print(table(results["seen"], results["unseen"], args.frames))
    print(
        json.dumps(
            {"eval": config.model.name, "frames": args.frames} | json.loads(as_json(results))
        )
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("eval", __doc__ or "")
    add_config(parser)
    parser.add_argument("--model", metavar="M", help="bundled, a folder, or a Hugging Face name")
    parser.add_argument(
        "--frames", type=_numbers, default=(1, 4, 16, 32, 64), metavar="N,N", help="lengths"
    )
    parser.add_argument("--recordings", type=int, default=40, metavar="N", help="of each length")
    parser.add_argument("--types", metavar="TYPE,TYPE", help="of questions; all, if not given")
    parser.add_argument("--retention", metavar="NAME", help="what stays when the budget is full")
    parser.add_argument("--reader", metavar="NAME", help="what a question reads")
    parser.add_argument("--budget-tokens", metavar="N", help="long-term tokens")
    parser.add_argument(
        "--timestamps", action="store_const", const="true", help="times before frames"
    )
    parser.add_argument("--seed", type=int, default=1)
    add_json(parser)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def _examine(args: argparse.Namespace, config: Config, pairs: Sequence[Pair]) -> list[Marked]:
    types = args.types.split(",") if args.types else TYPES
    unknown = [type_ for type_ in types if type_ not in TYPES]
    if unknown:
        raise ConfigError(f"--types: {unknown[0]} is not known; there are {', '.join(TYPES)}")
    backbone = build_backbone(config)
    rng = np.random.default_rng(args.seed)
    scenes = film(rng, 12 * args.recordings, pairs, backbone.frame_size[0])
    marked: list[Marked] = []
    for frames in args.frames:
        for number in range(args.recordings):
            marked += sit(backbone, config, scenes, rng, frames=frames, types=types)
            print(f"{frames} frames: {number + 1}/{args.recordings}", end="\r", file=sys.stderr)
    return marked
