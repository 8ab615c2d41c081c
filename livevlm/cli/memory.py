"""`livevlm memory`: the size of a daemon's memory, where something was seen, forgetting; moving what a stopped one left."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from livevlm.cli import load_module
from livevlm.cli.output import clock, evidence_line, print_json, print_table, size
from livevlm.cli.parsing import (
    QUOTES,
    add_json,
    add_server,
    add_time,
    duration,
    parser_for,
    time_range,
)
from livevlm.cli.session import session
from livevlm.client import Client
from livevlm.errors import ConfigError, DeadlineExceeded
from livevlm.messages import Forgotten, Found, MemorySize, TimeRange
from livevlm.service.errands import result_json, size_json
from livevlm.service.wire import as_of_json, evidence_json

PARTIAL, DECLINED = 6, 1
HEADER = ("STREAM", "REMEMBERS", "TOKENS", "DEVICE", "HOST", "DISK", "PICTURES")
T = TypeVar("T")


def main(argv: Sequence[str]) -> int:
    """Run `stats`, `search`, `forget`, `export` or `restore`."""
    args = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = args.run
    return run(args)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("memory", __doc__ or "", stray=QUOTES)
    verbs = parser.add_subparsers(metavar="{stats,search,forget,export,restore}", required=True)

    def verb(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        add_json(made)
        return made

    stats = verb("stats", _stats, "how much is remembered of each stream, where, and since when")
    _add_daemon(stats)
    _add_state_dir(stats, required=False)
    search = verb("search", _search, "where in a stream something was seen, without an answer")
    search.add_argument("text")
    add_time(search)
    search.add_argument("--limit", type=int, metavar="N", help="most frames to tell (8)")
    _add_daemon(search)
    forget = verb("forget", _forget, "erase a part of a stream from memory and from all files")
    add_time(forget)
    forget.add_argument("--all", action="store_true", help="all that is remembered of the stream")
    forget.add_argument("--yes", action="store_true", help="do not ask")
    _add_daemon(forget)
    export = verb("export", _export, "write what a stopped daemon remembered to a tar file")
    _add_state_dir(export, required=True)
    export.add_argument("-s", "--stream", metavar="NAME", help="this stream alone")
    export.add_argument("--force", action="store_true", help="replace a file that is there")
    export.add_argument("file", type=Path, metavar="FILE.tar")
    restore = verb(
        "restore", _restore, "take such a file into a stopped daemon's folder, or a new one"
    )
    _add_state_dir(restore, required=True)
    restore.add_argument("--force", action="store_true", help="replace streams that are there")
    restore.add_argument("file", type=Path, metavar="FILE.tar")
    return parser


def _add_daemon(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-s", "--stream", metavar="NAME", help="default: the daemon's only stream")
    add_server(parser)
    parser.add_argument(
        "--timeout", type=duration, default=120.0, metavar="TIME", help="give up after (2m)"
    )


def _add_state_dir(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        required=required,
        help="the folder of a daemon that does not run",
    )


def _stats(args: argparse.Namespace) -> int:
    sizes: tuple[MemorySize, ...]
    if args.state_dir is None:
        sizes = _asked(args, lambda client: client.memory_stats(stream=args.stream))
    else:
        sizes = load_module("livevlm.stored").stored_sizes(args.state_dir, args.stream)
    if args.json:
        for one in sizes:
            print_json({"type": "memory", **size_json(one)})
    else:
        print_table(HEADER, [_row(one) for one in sizes])
        for one in sizes:
            if one.error:
                print(f"{one.stream}: not on disk: {one.error}")
    return PARTIAL if any(one.error for one in sizes) else 0


def _row(one: MemorySize) -> tuple[str, ...]:
    empty = one.from_s is None or one.to_s is None
    return (
        one.stream,
        "nothing" if empty else f"{clock(one.from_s or 0.0)} - {clock(one.to_s or 0.0)}",
        ", ".join(f"{tier} {count}" for tier, count in one.tokens.items()),
        size(one.device_bytes),
        size(one.host_bytes),
        size(one.disk_bytes),
        str(one.pictures),
    )


def _search(args: argparse.Namespace) -> int:
    if not args.text.strip():
        raise ConfigError("what is searched for is empty")
    time = time_range(args)
    found: Found = _asked(
        args,
        lambda client: client.search(args.text, stream=args.stream, time=time, limit=args.limit),
    )
    if args.json:
        print_json({"type": "found", "stream": found.stream, "as_of": as_of_json(found.as_of)})
        for span in found.spans:
            print_json({"type": "span", **evidence_json(span)})
        return 0
    for span in found.spans:
        shown = evidence_json(span)["thumbnail"]
        print(evidence_line(span) + (f"  {shown}" if shown else ""))
    return 0


def _forget(args: argparse.Namespace) -> int:
    time = _to_forget(args)
    if not args.yes and not _agreed(args):
        print("livevlm: nothing was forgotten", file=sys.stderr)
        return DECLINED
    done: Forgotten = _asked(args, lambda client: client.forget(time, stream=args.stream))
    if args.json:
        print_json({"type": "forgotten", **result_json(done)[1]})
    else:
        tokens = (
            f"{done.device_tokens} tokens of the device and {done.archive_tokens} of the archive"
        )
        print(f"{done.stream}: forgot {done.frames} frames ({tokens})")
    return 0


def _to_forget(args: argparse.Namespace) -> TimeRange | Literal["all"]:
    time = time_range(args)
    if args.all == (time is not None):
        raise ConfigError(
            "say what is to be forgotten: one of --last, --from with --to, --at, and --all"
        )
    return "all" if time is None else time


def _agreed(args: argparse.Namespace) -> bool:
    """Ask, on a terminal alone: whoever reads from elsewhere has to have said --yes."""
    if not sys.stdin.isatty():
        raise ConfigError("what is forgotten cannot be brought back: give --yes to do it unasked")
    flags = {"last": args.last, "from": args.from_, "to": args.to, "at": args.at}
    given = [f"--{name} {value}" for name, value in flags.items() if value is not None]
    what = " ".join(given) or "all that is remembered"
    stream = args.stream or "the daemon's only stream"
    print(f"Forget {what} of {stream}? It cannot be brought back. [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _export(args: argparse.Namespace) -> int:
    export = load_module("livevlm.transfer").export_memories
    names = export(args.state_dir, args.file, stream=args.stream, force=args.force)
    return _say_moved(args, "exported", names, args.file)


def _restore(args: argparse.Namespace) -> int:
    names = load_module("livevlm.transfer").restore_memories(
        args.state_dir, args.file, force=args.force
    )
    return _say_moved(args, "restored", names, args.state_dir)


def _say_moved(args: argparse.Namespace, what: str, names: list[str], place: Path) -> int:
    if args.json:
        print_json({"type": what, "streams": names, "to": str(place)})
    else:
        print(f"{what} to {place}: {', '.join(names) or 'nothing'}")
    return 0


def _asked(args: argparse.Namespace, ask: Callable[[Client], Awaitable[T]]) -> T:
    """What the daemon says to it."""
    return asyncio.run(_within(args, ask))


async def _within(args: argparse.Namespace, ask: Callable[[Client], Awaitable[T]]) -> T:
    try:
        async with (
            asyncio.timeout(args.timeout),
            session(args) as client,
        ):
            return await ask(client)
    except TimeoutError as error:
        raise DeadlineExceeded(f"nothing was heard within {args.timeout:g} s") from error
