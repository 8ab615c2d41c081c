"""Flags that several verbs share, and what they mean."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from livevlm.configfile import Loaded, load_config
from livevlm.errors import ConfigError
from livevlm.layers import Setting, from_flag
from livevlm.messages import TimeRange
from livevlm.service import timespan
from livevlm.service.timespan import duration_s

DEFAULT_SERVER = "127.0.0.1:8765"
# Asks a verb for its parser; no user needs it.
DESCRIBE = "--describe-parser"
# The way out for verbs that take a sentence.
QUOTES = 'words that belong together want quotes, as in "is it open?"'
_STREAM = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)=(.+)", re.DOTALL)


class Described(Exception):
    """Not an error: somebody wanted to see a verb's parser, and here it is."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__(parser.prog)
        self.parser = parser


class _Describe(argparse.Action):
    """A verb's parser is finished only when it reads its words; this hands it over then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        raise Described(parser)


class _Parser(argparse.ArgumentParser):
    """One that knows a way out for words it cannot use. stray: what to do with a word too many that is no flag."""

    stray = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Flags are never abbreviated, those of verbs of a verb neither: a new one must not break a script."""
        super().__init__(*args, **({"allow_abbrev": False} | kwargs))

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """As argparse's, which would only repeat the words that are too many."""
        known, extra = self.parse_known_args(args, namespace)
        if extra:
            self.error(
                f"unrecognized arguments: {' '.join(extra)}{_advice(extra[0], _flags(self), self.stray)}"
            )
        return known


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The long flags of a parser and of those below it."""
    for action in parser._actions:
        yield from (
            flag for flag in action.option_strings if flag.startswith("--") and flag != DESCRIBE
        )
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _flags(below)


def _advice(word: str, flags: Iterable[str], stray: str) -> str:
    """What may have been meant by a word that is too many."""
    close = difflib.get_close_matches(word.partition("=")[0], list(flags), n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; {stray}" if stray and not word.startswith("-") else ""


def parser_for(verb: str, description: str, *, stray: str = "") -> argparse.ArgumentParser:
    """The parser of a verb.

    stray: the way out for a word too many, where what was meant is likely.
    """
    parser = _Parser(prog=f"livevlm {verb}", description=description)
    parser.stray = stray
    parser.add_argument(DESCRIBE, action=_Describe, nargs=0, help=argparse.SUPPRESS)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON Lines")


def add_config(parser: argparse.ArgumentParser) -> None:
    """-c and --set."""
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="configuration (also LIVEVLM_CONFIG)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="one setting of the configuration; may be repeated",
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """--server, --token-file and --ca."""
    parser.add_argument(
        "--server",
        default=usual_server(),
        metavar="ADDRESS",
        help=f"host:port, or ws:// or wss:// URL of the daemon (also LIVEVLM_SERVER; default {DEFAULT_SERVER})",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the daemon's token (also LIVEVLM_TOKEN_FILE, or the token in LIVEVLM_TOKEN)",
    )
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="trust a wss:// daemon by the certificates in this PEM file (also LIVEVLM_CA; default: as the system does)",
    )


def usual_server() -> str:
    """The daemon that is meant where --server names none."""
    return os.environ.get("LIVEVLM_SERVER") or DEFAULT_SERVER


def loaded(args: argparse.Namespace, *, flags: tuple[Setting, ...] = ()) -> Loaded:
    """The configuration that -c, the environment, --set and a verb's own flags make."""
    file = args.config or os.environ.get("LIVEVLM_CONFIG") or None
    settings = [from_flag(assignment, "--set") for assignment in args.set]
    return load_config(
        None if file is None else Path(file), environ=os.environ, flags=[*settings, *flags]
    )


def flags_of(
    args: argparse.Namespace, settings: Mapping[str, tuple[str, ...]]
) -> tuple[Setting, ...]:
    """The settings that a verb's flags give: where each flag's value goes, by the flag's name."""
    return tuple(
        Setting(place, getattr(args, name), f"--{name.replace('_', '-')}", True)
        for name, place in settings.items()
        if getattr(args, name) is not None
    )


def token(args: argparse.Namespace) -> str | None:
    """The token to show the daemon, or None."""
    file = args.token_file or os.environ.get("LIVEVLM_TOKEN_FILE")
    if not file:
        return os.environ.get("LIVEVLM_TOKEN") or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token file {file} cannot be read: {error}") from error


def authority(args: argparse.Namespace) -> str | None:
    """The file of those who are trusted to vouch for the daemon; None: as the system does."""
    if args.ca and urlsplit(args.server).scheme not in ("wss", "https"):
        raise ConfigError(
            f"--ca {args.ca}: only a wss:// daemon shows a certificate; write --server wss://HOST:PORT"
        )
    return args.ca or os.environ.get("LIVEVLM_CA") or None


def stream_flag(text: str) -> Setting:
    """The url that `--stream NAME=URL` gives to a stream."""
    match = _STREAM.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            "expected NAME=URL, as in front=rtsp://camera.local/main or hall=video.mp4"
        )
    return Setting(("streams", match[1], "url"), match[2], "--stream", True)


def duration(text: str) -> float:
    """Seconds in `90`, `90s`, `5m` or `1h30m`, for argparse."""
    try:
        return duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration: 90, 90s, 5m or 1h30m"
        ) from error


def add_time(parser: argparse.ArgumentParser) -> None:
    """--last, --from, --to and --at."""
    parser.add_argument("--last", metavar="TIME", help="only the newest 90s, 5m, 2h ...")
    parser.add_argument(
        "--from",
        dest="from_",
        metavar="T",
        help="only from here on: seconds of stream time, 10:32, or 2026-05-01T10:32:00+02:00",
    )
    parser.add_argument("--to", metavar="T", help="only up to here")
    parser.add_argument("--at", metavar="T", help="only the moments around this one")


def time_range(args: argparse.Namespace) -> TimeRange | None:
    """What --last, --from, --to and --at ask about; ConfigError where they contradict each other."""
    try:
        return timespan.time_range(
            last=args.last, start=_zoned(args.from_), end=_zoned(args.to), at=_zoned(args.at)
        )
    except ValueError as error:
        raise ConfigError(f"--last, --from, --to, --at: {error}") from error


def _zoned(text: str | None) -> str | None:
    """A time of day is today's, and a time without an offset is local; whatever else stays what it is."""
    if text is None or not (":" in text or "-" in text):
        return text
    for candidate in (text, f"{datetime.now().date().isoformat()}T{text}"):
        try:
            return datetime.fromisoformat(candidate).astimezone().isoformat()
        except ValueError:
            continue
    return text
