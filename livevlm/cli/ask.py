"""`livevlm ask`: one question to a running daemon; the answer appears as it is made, then where it was seen."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from livevlm.cli.output import event_json, evidence_line, print_json
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
from livevlm.client import AskOptions, Reply, error_from
from livevlm.errors import ConfigError, DeadlineExceeded
from livevlm.messages import Answer, AnswerChunk, AnswerEvent

GRACE_S = 5.0  # the daemon keeps the deadline itself; this much later it is not waited for


def main(argv: Sequence[str]) -> int:
    """Ask, print, and tell by the exit code how it ended."""
    args = _parser().parse_args(argv)
    if not args.question.strip():
        raise ConfigError("the question is empty")
    answer = asyncio.run(_ask(args))
    if answer.failure is not None:
        raise error_from(answer.failure)
    return 0 if answer.status in ("completed", "incomplete") else 1


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("ask", __doc__ or "", stray=QUOTES)
    parser.add_argument("question")
    parser.add_argument("-s", "--stream", metavar="NAME", help="default: the daemon's only stream")
    add_time(parser)
    add_server(parser)
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longest answer")
    parser.add_argument(
        "--timeout", type=duration, default=120.0, metavar="TIME", help="give up after (2m)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="the answer alone")
    add_json(parser)
    return parser


async def _ask(args: argparse.Namespace) -> Answer:
    options = AskOptions(max_tokens=args.max_tokens, deadline_s=args.timeout)
    time = time_range(args)
    try:
        async with (
            asyncio.timeout(args.timeout + GRACE_S),
            session(args) as client,
        ):
            reply = client.ask(args.question, stream=args.stream, time=time, options=options)
            return await _print_reply(reply, args)
    except TimeoutError as error:
        raise DeadlineExceeded(f"no answer within {args.timeout:g} s") from error


async def _print_reply(reply: Reply, args: argparse.Namespace) -> Answer:
    try:
        async for event in reply:
            _print_event(event, args)
            if isinstance(event, Answer):
                return event
    except asyncio.CancelledError:
        reply.cancel()  # Ctrl-C or our own time limit: the daemon need not go on
        raise
    raise AssertionError("a reply ends with an answer")


def _print_event(event: AnswerEvent, args: argparse.Namespace) -> None:
    if args.json:
        print_json(event_json(event))
    elif isinstance(event, AnswerChunk):
        print(event.text, end="", flush=True)
    elif isinstance(event, Answer) and (event.text or event.failure is None):
        print()
        if not args.quiet:
            _print_evidence(event)


def _print_evidence(answer: Answer) -> None:
    for evidence in answer.evidence:
        print(f"  seen: {evidence_line(evidence)}")
    sys.stdout.flush()
