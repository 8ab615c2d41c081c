"""`livevlm models`: list the models known by name and how to get them, or write one of a real shape with random weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, cast

from livevlm.cli import load_module
from livevlm.cli.output import print_json, print_table
from livevlm.cli.parsing import add_json, parser_for
from livevlm.errors import ConfigError

FETCHING = """
Name one with --model, or model.name in the configuration. Hub models are fetched at first use; to fetch one before:
  hf download llava-hf/llava-onevision-qwen2-0.5b-ov-hf --local-dir MODEL && livevlm serve --model ./MODEL
Any other checkpoint of the LLaVA-OneVision class works by its folder or its hub name."""
# As in livevlm.cli.synth; written down here, so that a wrong word is refused without loading torch.
SHAPES = ("tiny", "glance", "llava-onevision-0.5b", "llava-onevision-7b")
DTYPES = ("float32", "bfloat16", "float16")


class Synth(Protocol):
    """As `livevlm.cli.synth.synth`."""

    def __call__(self, shape: str, out: Path, *, dtype: str, seed: int) -> None: ...


def main(argv: Sequence[str]) -> int:
    """Run `list` or `synth`."""
    parser = parser_for("models", __doc__ or "")
    add_json(parser)
    parser.set_defaults(run=_list)
    verbs = parser.add_subparsers(metavar="{list,synth}")
    listing = verbs.add_parser("list", help="models known by name (the default); folders work too")
    add_json(listing)
    synth = verbs.add_parser("synth", help="write a checkpoint with random weights: for measuring")
    synth.add_argument("shape", choices=SHAPES, metavar="SHAPE", help=", ".join(SHAPES))
    synth.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    synth.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="(bfloat16)")
    synth.add_argument("--seed", type=int, default=0, metavar="N", help="of the weights (0)")
    synth.set_defaults(run=_synth)
    args = parser.parse_args(argv)
    run = args.run
    assert callable(run)
    return int(run(args))


def _list(args: argparse.Namespace) -> int:
    models = load_module("livevlm.models").list_models()
    if args.json:
        for model in models:
            print_json(asdict(model))
        return 0
    rows = [(m.name, f"{m.mebibytes:,.1f} MiB" if m.mebibytes else "-", m.note) for m in models]
    print_table(("MODEL", "WEIGHTS", "NOTE"), rows)
    print(FETCHING)
    return 0


def _synth(args: argparse.Namespace) -> int:
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise ConfigError(f"--out {args.out} is there already; name a new folder")
    # Only now the heavy part: a mistake on the command line is told at once.
    synth = cast(Synth, load_module("livevlm.cli.synth").synth)
    print(f"drawing random weights of the shape {args.shape}", file=sys.stderr)
    try:
        synth(args.shape, args.out, dtype=args.dtype, seed=args.seed)
    except OSError as error:
        raise ConfigError(f"--out {args.out}: {error.strerror or error}") from error
    print(args.out)
    return 0
