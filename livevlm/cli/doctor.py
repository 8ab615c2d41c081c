"""`livevlm doctor`: what of the machine, the installation and a configuration is well, what is not, and the way out."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import cast

from livevlm.checkup.finding import Finding, fault, ok
from livevlm.cli import load_module
from livevlm.cli.output import print_json, print_table
from livevlm.cli.parsing import add_config, add_json, loaded, parser_for
from livevlm.config import Config
from livevlm.errors import ConfigError

PARTIAL = 6
HEADER = ("CHECK", "VERDICT", "FOUND", "WAY OUT")
REINSTALL = "install anew: make setup, or pip install --force-reinstall 'livevlm[cpu]'"


def main(argv: Sequence[str]) -> int:
    """Look, and print what was found; exit code 6 where there is a fault."""
    parser = parser_for("doctor", __doc__ or "")
    add_config(parser)
    add_json(parser)
    args = parser.parse_args(argv)
    findings = list(look(args))
    if args.json:
        for found in findings:
            print_json({"type": "check", **asdict(found)})
    else:
        print_table(HEADER, [(f.name, f.verdict, f.found, f.way_out) for f in findings])
    return PARTIAL if any(found.verdict == "fault" for found in findings) else 0


def look(args: argparse.Namespace) -> Iterator[Finding]:
    """All checks. One that cannot even be loaded is a fault of its own, and hides no other."""
    config = Config()
    try:
        config = loaded(args).config
        named = args.config or os.environ.get("LIVEVLM_CONFIG") or "none: the defaults"
        settings = ok("configuration", str(named))
    except ConfigError as error:
        settings = fault("configuration", error.message, "the other checks take the defaults")
    yield from _looked("machine", os.environ)
    yield from _looked("compute", config.model.device)
    yield from _looked("video")
    yield from _loads("search", "memory.index")
    yield settings
    yield from _looked("weights", config.model.name)
    yield from _looked("wishes", config, os.environ)


def _looked(name: str, *words: object) -> list[Finding]:
    """What a module of `livevlm.checkup` finds; its libraries may be broken or missing."""
    try:
        module = load_module(f"livevlm.checkup.{name}")
    except (ImportError, OSError) as error:
        return [fault(name, f"cannot be loaded: {error}", REINSTALL)]
    return cast(Callable[..., list[Finding]], module.look)(*words)


def _loads(name: str, module: str) -> list[Finding]:
    """Whether a module of ours, and the libraries that it wraps, can be loaded."""
    try:
        load_module(module)
    except (ImportError, OSError) as error:
        return [fault(name, f"cannot be loaded: {error}", REINSTALL)]
    return [ok(name, "FAISS loads")]
