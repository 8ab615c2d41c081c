"""`livevlm serve`: watch streams, remember them, and answer questions over a websocket until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from livevlm.cli.logs import start_logging
from livevlm.cli.parsing import add_config, loaded, parser_for, stream_flag
from livevlm.daemon import Daemon
from livevlm.errors import ConfigError
from livevlm.layers import Setting


def main(argv: Sequence[str]) -> int:
    """Run the daemon; returns when it has stopped."""
    args = _parser().parse_args(argv)
    config = loaded(args, flags=_flags(args)).config
    if not config.streams:
        raise ConfigError(
            "there is no stream to watch: give --stream NAME=URL (as in --stream front=rtsp://camera.local/main),"
            " or -c FILE with a [streams.NAME] table"
        )
    start_logging(args.verbose - args.quiet)
    with Daemon(config, environ=os.environ) as daemon:
        code = daemon.run(on_ready=_say_ready)
    if (
        daemon.stuck
    ):  # leaving the usual way would wait for the model, or tear it down under its feet
        logging.shutdown()
        os._exit(code)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = parser_for("serve", __doc__ or "")
    add_config(parser)
    parser.add_argument(
        "--stream",
        action="append",
        default=[],
        type=stream_flag,
        metavar="NAME=URL",
        help="watch this too: a file, rtsp://, http(s)://, webcam:0, screen: or test:; may be repeated",
    )
    parser.add_argument("--model", metavar="M", help="bundled, a folder, or a Hugging Face name")
    parser.add_argument("--listen", metavar="HOST:PORT", help="default 127.0.0.1:8765")
    parser.add_argument("-v", "--verbose", action="store_const", const=1, default=0)
    parser.add_argument("-q", "--quiet", action="store_const", const=1, default=0)
    return parser


def _flags(args: argparse.Namespace) -> tuple[Setting, ...]:
    flags = list(args.stream)
    if args.model is not None:
        flags.append(Setting(("model", "name"), args.model, "--model", True))
    if args.listen is not None:
        flags.append(Setting(("server", "listen"), args.listen, "--listen", True))
    return tuple(flags)


def _say_ready(address: str) -> None:
    print(f"livevlm: ready on {address}", file=sys.stderr, flush=True)
