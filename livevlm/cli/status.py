"""`livevlm status`: what a running daemon sees and remembers. Exit code 6 when it cannot answer or a stream is down."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

from livevlm.cli.output import clock, print_json, print_table, size
from livevlm.cli.parsing import add_json, add_server, parser_for
from livevlm.cli.session import session
from livevlm.client import ServerStatus
from livevlm.messages import StreamStatus
from livevlm.service.wire import status_json

PARTIAL = 6
DOWN = ("failed", "reconnecting", "stalled")
# Why a frame was left out on purpose: these are no losses.
SPARED = ("skipped", "similar")
HEADER = ("STREAM", "STATE", "LAST FRAME", "FRAMES", "DROPPED", "MEMORY", "REMEMBERS", "SOURCE")


def main(argv: Sequence[str]) -> int:
    """Print the daemon and its streams."""
    parser = parser_for("status", __doc__ or "")
    add_server(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="tell by the exit code alone")
    add_json(parser)
    args = parser.parse_args(argv)
    status = asyncio.run(_status(args))
    if args.json:
        _print_json(status)
    elif not args.quiet:
        _print_table(status)
    return 0 if status.ready and all(well(stream) for stream in status.streams) else PARTIAL


def well(stream: StreamStatus) -> bool:
    """Whether a stream does what it should; one that never came up says why in `error`."""
    return stream.state not in DOWN and stream.error is None


async def _status(args: argparse.Namespace) -> ServerStatus:
    async with session(args) as client:
        return await client.status()


def _print_json(status: ServerStatus) -> None:
    daemon = {"version": status.version, "model": status.model, "ready": status.ready}
    print_json({"type": "daemon"} | daemon)
    for stream in status.streams:
        print_json({"type": "stream", **status_json(stream)})


def _print_table(status: ServerStatus) -> None:
    ready = "ready" if status.ready else "not ready"
    print(f"livevlm {status.version}, model {status.model}, {ready}")
    print_table(HEADER, [_row(stream) for stream in status.streams])
    for stream in status.streams:
        if stream.error:
            print(f"{stream.name}: {stream.error_code}: {stream.error}{_again(stream)}")


def _again(stream: StreamStatus) -> str:
    """When a lost source is opened again, where that is waited for."""
    wait_s = stream.next_try_s
    return "" if wait_s is None else f"; opened again in {wait_s:.0f} s, or when it answers"


def _row(stream: StreamStatus) -> tuple[str, ...]:
    age = None if stream.last_frame_utc is None else max(0.0, time.time() - stream.last_frame_utc)
    tokens = ", ".join(f"{tier} {count}" for tier, count in stream.memory_tokens.items())
    return (
        stream.name,
        stream.state,
        "none yet" if age is None else f"{age:.1f} s ago",
        f"{stream.frames_encoded} of {stream.frames_received}",
        str(sum(n for reason, n in stream.frames_dropped.items() if reason not in SPARED)),
        f"{tokens or 'empty'} ({size(stream.memory_bytes)})",
        _span(stream),
        stream.source,
    )


def _span(stream: StreamStatus) -> str:
    if stream.memory_from_s is None or stream.as_of is None:
        return "nothing yet"
    return f"{clock(stream.memory_from_s)} - {clock(stream.as_of.stream_s)}"
