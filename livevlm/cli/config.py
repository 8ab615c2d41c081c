"""`livevlm config`: show what is in force and where it comes from, check files, print the reference of all settings."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from livevlm.cli.output import print_json
from livevlm.cli.parsing import add_config, add_json, loaded, parser_for
from livevlm.cli.reference import reference
from livevlm.config import Config
from livevlm.configfile import Loaded, load_config
from livevlm.errors import ConfigError
from livevlm.layers import Path as KeyPath
from livevlm.layers import dotted
from livevlm.section import Section
from streams.redact import redact


def main(argv: Sequence[str]) -> int:
    """Run `show`, `check` or `docs`."""
    parser = parser_for("config", __doc__ or "")
    verbs = parser.add_subparsers(required=True, metavar="{show,check,docs}")
    show = verbs.add_parser("show", help="print the configuration in force, without credentials")
    add_config(show)
    # The same file as -c; without one here, what -c says stands.
    show.add_argument(
        "config", nargs="?", default=argparse.SUPPRESS, metavar="FILE", help="as -c FILE"
    )
    show.add_argument("--origin", action="store_true", help="say where each value comes from")
    add_json(show)
    show.set_defaults(run=_show)
    check = verbs.add_parser("check", help="check files; exit code 2 when one cannot be used")
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="also LIVEVLM_CONFIG")
    check.add_argument(
        "-c", "--config", action="append", default=[], type=Path, metavar="FILE", help="the same"
    )
    check.set_defaults(run=_check)
    docs = verbs.add_parser("docs", help="print the reference of all settings in Markdown")
    docs.set_defaults(run=_docs)
    args = parser.parse_args(argv)
    run = args.run
    assert callable(run)
    return int(run(args))


def _show(args: argparse.Namespace) -> int:
    found = loaded(args)
    if args.json:
        for path, value in leaves(found.config):
            print_json({"key": dotted(path), "value": value, "origin": found.origin(path)})
    else:
        print("\n".join(_toml(found, args.origin)))
    return 0


def _check(args: argparse.Namespace) -> int:
    """Each file for itself, so that one complaint does not hide another's."""
    named = os.environ.get("LIVEVLM_CONFIG")
    files = [*args.files, *args.config] or ([Path(named)] if named else [])
    if not files:
        raise ConfigError("there is no file to check; name one: livevlm config check FILE")
    problems = []
    for file in files:
        try:
            load_config(file, environ=os.environ)
            print(f"{file}: ok")
        except ConfigError as error:
            problems.append(error.message)
    if problems:
        raise ConfigError("\n".join(problems))
    return 0


def _docs(args: argparse.Namespace) -> int:
    print(reference())
    return 0


def leaves(config: Config) -> Iterator[tuple[KeyPath, object]]:
    """Every setting with its path and its value as it may be shown: no credentials."""
    yield ("version",), config.version
    for name in type(config).model_fields:
        section = getattr(config, name)
        if isinstance(section, Section):
            yield from _section((name,), section)
    for name, stream in config.streams.items():
        yield from _section(("streams", name), stream)


def _section(path: KeyPath, section: Section) -> Iterator[tuple[KeyPath, object]]:
    for key, value in section.model_dump().items():
        yield (*path, key), redact(value) if isinstance(value, str) else value


def _toml(found: Loaded, origins: bool) -> Iterator[str]:
    table: KeyPath = ()
    for path, value in leaves(found.config):
        if path[:-1] != table:
            table = path[:-1]
            yield f"\n[{dotted(table)}]"
        line = f"{path[-1]} = {json.dumps(value, ensure_ascii=False)}"
        yield f"{line:<44}# {found.origin(path)}" if origins else line
