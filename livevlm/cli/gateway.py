"""`livevlm gateway`: a running daemon for programs that speak OpenAI's chat completions over HTTP. Needs the extra http."""

from __future__ import annotations

import argparse
import functools
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from livevlm.cli.extras import load_extra
from livevlm.cli.logs import start_logging
from livevlm.cli.parsing import add_server, authority, duration, parser_for, token
from livevlm.client import connect
from livevlm.errors import ConfigError
from livevlm.gateway.asking import Dial, Limits
from livevlm.gateway.port import Port
from livevlm.link import Retry

DEFAULT_LISTEN = "127.0.0.1:8766"
PATIENCE = Retry(
    patience_s=10.0
)  # an answer outlives a connection that breaks, but nobody is kept waiting for long

logger = logging.getLogger(__name__)


class Serve(Protocol):
    """As `livevlm.gateway.serving.serve`."""

    def __call__(
        self, dial: Dial, port: Port, *, limits: Limits, on_ready: Callable[[str], None]
    ) -> int: ...


def main(argv: Sequence[str]) -> int:
    """Run the gateway; returns when it has stopped."""
    args = _parser().parse_args(argv)
    port, limits = _port(args), _limits(args)
    dial = functools.partial(
        connect, args.server, token=port.token, ca=authority(args), reconnect=PATIENCE
    )
    serve = cast(Serve, load_extra("http", "livevlm.gateway.serving").serve)
    start_logging(args.verbose - args.quiet)
    logger.info("asking the daemon at %s", args.server)
    return serve(dial, port, limits=limits, on_ready=_say_ready)


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("gateway", __doc__ or "")
    parser.add_argument(
        "--listen",
        type=address,
        default=address(DEFAULT_LISTEN),
        metavar="HOST:PORT",
        help=f"default {DEFAULT_LISTEN}; clients must show the daemon's token",
    )
    add_server(parser)
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM file of the port's certificate")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file of the certificate's key")
    parser.add_argument(
        "--allow-insecure",
        action="store_true",
        help="listen beyond this machine without a token or TLS",
    )
    usual = Limits()
    parser.add_argument(
        "--max-requests",
        type=int,
        default=usual.most,
        metavar="N",
        help=f"answers made at once ({usual.most})",
    )
    parser.add_argument(
        "--timeout",
        type=duration,
        default=usual.answer_s,
        metavar="TIME",
        help=f"longest that an answer may take ({usual.answer_s:g}s)",
    )
    parser.add_argument("-v", "--verbose", action="store_const", const=1, default=0)
    parser.add_argument("-q", "--quiet", action="store_const", const=1, default=0)
    return parser


def address(text: str) -> tuple[str, int]:
    """Host and port in `HOST:PORT`, for argparse."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, as in {DEFAULT_LISTEN}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _port(args: argparse.Namespace) -> Port:
    host, number = args.listen
    return Port(
        host=host,
        port=number,
        token=token(args),
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        allow_insecure=args.allow_insecure,
    )


def _limits(args: argparse.Namespace) -> Limits:
    if args.max_requests < 1:
        raise ConfigError("--max-requests must be at least 1")
    return Limits(most=args.max_requests, answer_s=args.timeout)


def _say_ready(url: str) -> None:
    """In one write, so that no line of the log comes in between."""
    sys.stderr.write(f"livevlm: gateway ready on {url}\n")
    sys.stderr.flush()
