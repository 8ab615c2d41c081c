"""`livevlm watch`: be told when something is so. The daemon looks; this prints what it finds, or runs a command for it.

A watch that is followed here ends with this command; with --detach, or a webhook, it stays with the daemon.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence

from livevlm.cli.output import clock, print_json, print_table, time_of_day
from livevlm.cli.parsing import QUOTES, add_json, add_server, duration, parser_for, usual_server
from livevlm.cli.session import session
from livevlm.client import Watching
from livevlm.errors import ConfigError
from livevlm.service.watches import ordered_json, status_json, told_json
from livevlm.watching.orders import Dropped, Made
from livevlm.watching.watch import Rule, WatchEvent, WatchRequest, WatchStatus, Webhook
from streams import redact

HEADER = ("WATCH", "STREAM", "STATE", "YES", "TRIGGERS", "LAST", "LOOKED", "SKIPPED", "CONDITION")
PARTIAL, TERMINATED = 6, 128 + signal.SIGTERM
WAYS = ("CONDITION [options]", "list [options]", "delete WATCH ... [options]")


def main(argv: Sequence[str]) -> int:
    """Watch, or `list` or `delete` watches."""
    if argv and argv[0] == "list":
        return _list(argv[1:])
    if argv and argv[0] == "delete":
        return _delete(argv[1:])
    args = _parser().parse_args(argv)
    request = request_from(args)
    command = [] if args.exec is None else _words(args.exec)
    try:
        return asyncio.run(_watch(request, command, args))
    except asyncio.CancelledError:
        return TERMINATED


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("watch", __doc__ or "", stray=QUOTES)
    parser.usage = "\n       ".join(f"livevlm watch {way}" for way in WAYS)
    parser.add_argument(
        "condition", help='a question, as "is the door open?", a thing, or a sentence'
    )
    parser.add_argument("-s", "--stream", metavar="NAME", help="default: the daemon's only stream")
    parser.add_argument("--name", help="to delete it by")
    parser.add_argument("--once", action="store_true", help="end with the first trigger")
    parser.add_argument(
        "--cooldown",
        type=duration_or_none,
        metavar="TIME",
        help="least time between two triggers (60)",
    )
    parser.add_argument(
        "--confirm", type=int, metavar="N", help="so many evaluations in a row must agree (1)"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="from which probability on it is so (0.5)"
    )
    parser.add_argument(
        "--for", dest="lasts_s", type=duration, metavar="TIME", help="end after, as 8h"
    )
    parser.add_argument(
        "--exec",
        metavar="CMD",
        help="run for each trigger: a command and its words, no shell; the event is on its standard input as JSON, "
        "LIVEVLM_WATCH and LIVEVLM_STREAM are set",
    )
    parser.add_argument("--webhook", metavar="URL", help="post what it finds there")
    parser.add_argument(
        "--webhook-env", metavar="VAR", help="the daemon's variable that holds the url"
    )
    parser.add_argument(
        "--webhook-secret-env",
        metavar="VAR",
        help="the daemon's variable whose value posts are signed with; LIVEVLM_WEBHOOK_...",
    )
    parser.add_argument(
        "--detach", action="store_true", help="leave the watch with the daemon and return"
    )
    add_server(parser)
    add_json(parser)
    return parser


def duration_or_none(text: str) -> float:
    """As `duration`, but 0 is one too."""
    return 0.0 if text.strip() in ("0", "0s") else duration(text)


def request_from(args: argparse.Namespace) -> WatchRequest:
    """The watch that the flags wish for; ConfigError where they make none."""
    usual = Rule()
    try:
        webhook = None
        if args.webhook or args.webhook_env or args.webhook_secret_env:
            webhook = Webhook(
                url=args.webhook, url_env=args.webhook_env, secret_env=args.webhook_secret_env
            )
        rule = Rule(
            mode="once" if args.once else "repeat",
            cooldown_s=usual.cooldown_s if args.cooldown is None else args.cooldown,
            confirm_n=usual.confirm_n if args.confirm is None else args.confirm,
            threshold=usual.threshold if args.threshold is None else args.threshold,
        )
        return WatchRequest(
            stream=args.stream or "",
            condition=args.condition,
            name=args.name,
            rule=rule,
            lasts_s=args.lasts_s,
            webhook=webhook,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--exec: {error}") from error
    if not words:
        raise ConfigError("--exec: there is no command")
    return words


async def _watch(request: WatchRequest, command: Sequence[str], args: argparse.Namespace) -> int:
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None
    loop.add_signal_handler(signal.SIGTERM, me.cancel)  # as Ctrl-C: the watch is not left behind
    # A watch is followed for as long as it takes, whatever becomes of the connection.
    async with session(args, reconnect=not args.detach) as client:
        watching = client.watch(request, keep=True)
        made = await watching
        if args.json:
            print_json({"type": "watch.created", **ordered_json(Made(made))[1]})
        else:
            print(f"{made.watch.id} watches {made.watch.stream}", file=sys.stderr, flush=True)
        if args.detach:
            _say_left(made, args)
            return 0
        over = False
        try:
            code = await _follow(watching, command, args)
            over = True
        finally:
            # One with a webhook goes on: somebody else hears of it.
            if over or request.webhook is None:
                await watching.delete()
            else:
                _say_left(made, args)
        return code


def _say_left(made: WatchStatus, args: argparse.Namespace) -> None:
    """Nobody may believe that a watch ended with the command that made it."""
    known = made.watch.request.name or made.watch.id
    command = ["livevlm", "watch", "delete", known]
    if args.server != usual_server():
        command += ["--server", redact(args.server)]
    print(
        f"{made.watch.id} goes on with the daemon; to end it: {shlex.join(command)}",
        file=sys.stderr,
        flush=True,
    )


async def _follow(watching: Watching, command: Sequence[str], args: argparse.Namespace) -> int:
    """Tell what the watch finds until it is over; 6 where a command that was run failed."""
    code = 0
    async for event in watching:
        kind, fields = told_json(event)
        line = {"type": kind, **fields}
        if args.json:
            print_json(line)
        else:
            print(event_line(event), flush=True)
        if event.change == "triggered" and command:
            code = max(code, await asyncio.to_thread(_run, command, event, json.dumps(line)))
    return code


def _run(command: Sequence[str], event: WatchEvent, line: str) -> int:
    environ = os.environ | {
        "LIVEVLM_WATCH": event.watch.id,
        "LIVEVLM_STREAM": event.watch.stream,
    }
    try:
        ended = subprocess.run(command, input=line, text=True, env=environ, check=False)
    except OSError as error:
        print(f"livevlm: {command[0]}: {error.strerror or error}", file=sys.stderr)
        return PARTIAL
    if ended.returncode:
        print(f"livevlm: {command[0]} ended with {ended.returncode}", file=sys.stderr)
    return PARTIAL if ended.returncode else 0


def event_line(event: WatchEvent) -> str:
    """What a watch tells, for people."""
    name = event.watch.request.name or event.watch.request.condition
    if event.at is None or event.probability is None:
        return f"{event.change}  {event.watch.stream}  {name}"
    when = f"{clock(event.at.stream_s)}  ({time_of_day(event.at.utc)})"
    return f"{event.change}  {event.watch.stream}  {when}  yes {event.probability:.2f}  {name}"


def _list(argv: Sequence[str]) -> int:
    parser = parser_for("watch list", "The daemon's watches, and how they are.")
    add_server(parser)
    add_json(parser)
    args = parser.parse_args(argv)

    async def ask() -> tuple[WatchStatus, ...]:
        async with session(args) as client:
            return await client.watches()

    found = asyncio.run(ask())
    if args.json:
        for one in found:
            print_json({"type": "watch", **status_json(one)})
    elif not found:
        print('there are no watches; livevlm watch "is there a ...?" makes one', file=sys.stderr)
    else:
        print_table(HEADER, [_row(one) for one in found])
    return 0


def _row(one: WatchStatus) -> tuple[str, ...]:
    request = one.watch.request
    return (
        request.name or one.watch.id,
        request.stream,
        one.state,
        "" if one.probability is None else f"{one.probability:.2f}",
        str(one.triggers),
        "never" if one.triggered_utc is None else time_of_day(one.triggered_utc),
        str(one.evaluations),
        str(one.skipped),
        request.condition,
    )


def _delete(argv: Sequence[str]) -> int:
    parser = parser_for("watch delete", "Delete watches.")
    parser.add_argument("watch", nargs="+", metavar="WATCH", help="an id, or a name")
    add_server(parser)
    add_json(parser)
    args = parser.parse_args(argv)

    async def drop() -> None:
        async with session(args) as client:
            for watch in args.watch:
                gone = await client.unwatch(watch)
                if args.json:
                    print_json({"type": "watch.deleted", **ordered_json(Dropped(gone))[1]})
                else:
                    print(f"{gone.watch.id} is deleted")

    asyncio.run(drop())
    return 0
