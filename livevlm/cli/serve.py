"""`livevlm serve`: watch streams, remember them, and answer questions over a websocket until told to stop."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from livevlm.cli import load_module
from livevlm.cli.logs import start_logging
from livevlm.cli.parsing import add_config, loaded, parser_for, stream_flag
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.layers import Setting
from livevlm.whereabouts import address_of

logger = logging.getLogger(__name__)


class RunDaemon(Protocol):
    """As `livevlm.daemon.run`."""

    def __call__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        on_ready: Callable[[str], None],
        reload: Callable[[], Config],
    ) -> int: ...


def main(argv: Sequence[str]) -> int:
    """Run the daemon; returns when it has stopped."""
    args = _parser().parse_args(argv)
    load = functools.partial(_load, args)
    config = load()
    for name in config.streams:
        address_of(name, config, os.environ)
    start_logging(args.verbose - args.quiet)
    logger.info("starting: PyTorch and what else the model needs come first")
    # Only now the heavy part: a mistake on the command line or in a file is told at once.
    run = cast(RunDaemon, load_module("livevlm.daemon").run)
    return run(config, environ=os.environ, on_ready=_say_ready, reload=load)


def _load(args: argparse.Namespace) -> Config:
    """The configuration as the files are now."""
    config = loaded(args, flags=_flags(args)).config
    if not config.streams:
        raise ConfigError(
            "there is no stream to watch: give --stream NAME=URL (as in --stream front=rtsp://camera.local/main),"
            " or -c FILE with a [streams.NAME] table"
        )
    return config


def _parser() -> argparse.ArgumentParser:
    parser = parser_for(
        "serve",
        __doc__ or "",
        stray="name what is to be watched: --stream NAME=URL, as --stream hall=video.mp4",
    )
    add_config(parser)
    parser.add_argument(
        "--stream",
        action="append",
        default=[],
        type=stream_flag,
        metavar="NAME=URL",
        help="watch this too: a file, dir:FOLDER, rtsp://, rtmp://, http(s)://, webcam:0, screen:, - or test:; may be repeated",
    )
    parser.add_argument("--model", metavar="M", help="bundled, a folder, or a Hugging Face name")
    parser.add_argument("--listen", metavar="HOST:PORT", help="default 127.0.0.1:8765")
    parser.add_argument(
        "--state-dir", metavar="DIR", help="keep memories there, so that they outlive the daemon"
    )
    parser.add_argument("-v", "--verbose", action="store_const", const=1, default=0)
    parser.add_argument("-q", "--quiet", action="store_const", const=1, default=0)
    return parser


def _flags(args: argparse.Namespace) -> tuple[Setting, ...]:
    flags = list(args.stream)
    if args.model is not None:
        flags.append(Setting(("model", "name"), args.model, "--model", True))
    if args.listen is not None:
        flags.append(Setting(("server", "listen"), args.listen, "--listen", True))
    if args.state_dir is not None:
        flags.append(Setting(("server", "state_dir"), args.state_dir, "--state-dir", True))
    return tuple(flags)


def _say_ready(address: str) -> None:
    """In one write, so that no line of the log comes in between."""
    sys.stderr.write(f"livevlm: ready on {address}\n")
    sys.stderr.flush()
