"""`livevlm streams`: what a running daemon watches; one more, one less, pausing one and going on with it."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from livevlm.changes import AddStream, Change, Changed, PauseStream, RemoveStream, ResumeStream
from livevlm.cli.output import print_json, print_table
from livevlm.cli.parsing import DESCRIBE, add_json, add_server, duration, parser_for
from livevlm.cli.session import session
from livevlm.client import Client
from livevlm.configfile import load_config
from livevlm.errors import ConfigError, DeadlineExceeded
from livevlm.layers import Setting
from livevlm.messages import StreamStatus
from livevlm.service.streams import changed_json
from livevlm.service.wire import status_json
from livevlm.watchconfig import StreamConfig

HEADER = ("STREAM", "STATE", "FRAMES", "SOURCE")
T = TypeVar("T")


def main(argv: Sequence[str]) -> int:
    """Run `list`, which is the default, `add`, `remove`, `pause` or `resume`."""
    bare = not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", DESCRIBE))
    args = _parser().parse_args(["list", *argv] if bare else argv)
    run: Callable[[argparse.Namespace], int] = args.run
    return run(args)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("streams", __doc__ or "")
    verbs = parser.add_subparsers(metavar="{list,add,remove,pause,resume}", required=True)

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    listing = verb("list", _list, "what is watched")
    listing.add_argument("--watch", action="store_true", help="go on, and tell what changes")
    add = verb("add", _add, "watch one more stream, until the daemon ends")
    add.add_argument("name", metavar="NAME")
    add.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        help="a file, rtsp://, http(s)://, webcam:0, screen: or test:",
    )
    add.add_argument(
        "--url-env",
        metavar="VARIABLE",
        help="take the url from this variable of the environment, so that no password is in the command",
    )
    add.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one setting of a [streams.NAME] table, as fps=0.5; may be repeated",
    )
    remove = verb("remove", _remove, "watch a stream no longer")
    remove.add_argument(
        "--forget", action="store_true", help="erase what is remembered of it, on disk too"
    )
    pause = verb("pause", _pause, "take no more frames of a stream; it is still remembered")
    resume = verb("resume", _resume, "go on with a paused stream")
    for made in (remove, pause, resume):
        made.add_argument("name", metavar="NAME")
    for made in (listing, add, remove, pause, resume):
        add_server(made)
        made.add_argument(
            "--timeout", type=duration, default=60.0, metavar="TIME", help="give up after (1m)"
        )
        add_json(made)
    return parser


def _list(args: argparse.Namespace) -> int:
    asyncio.run(_told(args, lambda client: _tell(client, args)))
    return 0


async def _tell(client: Client, args: argparse.Namespace) -> None:
    if args.watch:
        await client.subscribe("stream")  # first, so that nothing is missed in between
    streams = (await client.status()).streams
    if args.json:
        for stream in streams:
            print_json({"type": "stream", **status_json(stream)})
    else:
        print_table(HEADER, [_row(stream) for stream in streams])
    if args.watch:
        async for changed in client.changes():
            _say(args, changed)


def _row(stream: StreamStatus) -> tuple[str, ...]:
    state = stream.state if stream.error is None else f"{stream.state}: {stream.error_code}"
    return stream.name, state, f"{stream.frames_encoded} of {stream.frames_received}", stream.source


def _add(args: argparse.Namespace) -> int:
    return _change(args, AddStream(name=args.name, settings=_settings(args)))


def _settings(args: argparse.Namespace) -> StreamConfig:
    """What the flags say of the stream. ConfigError names what is wrong with it."""
    if args.url is None and "=" in args.name:
        raise ConfigError("name and address are two words here: livevlm streams add NAME URL")
    if (args.url is None) == (args.url_env is None):
        raise ConfigError("say where the stream comes from: either URL or --url-env VARIABLE")
    url = args.url if args.url_env is None else os.environ.get(args.url_env)
    if url is None:
        raise ConfigError(f"--url-env: the environment variable {args.url_env} is not set")
    place = ("streams", args.name)
    flags = [Setting((*place, "url"), url, "URL", True)]
    for assignment in args.set:
        key, equals, value = assignment.partition("=")
        if not equals or key.startswith("url"):
            raise ConfigError(f"--set {key}: expected KEY=VALUE, of a setting that is not the url")
        flags.append(Setting((*place, key), value, "--set", True))
    return load_config(None, environ={}, flags=flags).config.streams[args.name]


def _remove(args: argparse.Namespace) -> int:
    return _change(args, RemoveStream(name=args.name, forget=args.forget))


def _pause(args: argparse.Namespace) -> int:
    return _change(args, PauseStream(name=args.name))


def _resume(args: argparse.Namespace) -> int:
    return _change(args, ResumeStream(name=args.name))


def _change(args: argparse.Namespace, change: Change) -> int:
    _say(args, asyncio.run(_told(args, lambda client: client.change(change))))
    return 0


def _say(args: argparse.Namespace, changed: Changed) -> None:
    if args.json:
        kind, fields = changed_json(changed)
        print_json({"type": kind.removeprefix("stream."), **fields})
        return
    told = "" if changed.status is None else f": {_told_of(changed.status)}"
    print(f"{datetime.now():%H:%M:%S}  {changed.name} {changed.what}{told}", flush=True)


def _told_of(status: StreamStatus) -> str:
    """How a stream is, and its source: most of what goes wrong with one names that by itself."""
    told = status.error or status.state
    return told if status.source in told else f"{told}, {status.source}"


async def _told(args: argparse.Namespace, ask: Callable[[Client], Awaitable[T]]) -> T:
    """What the daemon says to it; whoever watches waits without end."""
    watching = getattr(args, "watch", False)
    limit_s = None if watching else args.timeout
    try:
        async with asyncio.timeout(limit_s), session(args, reconnect=watching) as client:
            return await ask(client)
    except TimeoutError as error:
        raise DeadlineExceeded(f"nothing was heard within {args.timeout:g} s") from error
