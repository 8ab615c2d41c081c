"""`livevlm mcp`: a running daemon as tools for assistants, an MCP server on standard input and output. Needs the extra mcp."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import cast

from livevlm.cli.extras import load_extra
from livevlm.cli.logs import start_logging
from livevlm.cli.parsing import add_server, authority, parser_for, token
from livevlm.client import connect
from livevlm.gateway.asking import Dial
from livevlm.gateway.frames import Album

Run = Callable[[Dial, Album], int]


def main(argv: Sequence[str]) -> int:
    """Run the server; returns when standard input has ended."""
    parser = parser_for("mcp", __doc__ or "")
    add_server(parser)
    parser.add_argument("-v", "--verbose", action="store_const", const=1, default=0)
    args = parser.parse_args(argv)
    own, trusted = token(args), authority(args)
    dial = functools.partial(connect, args.server, token=own, ca=trusted, reconnect=False)
    run = cast(Run, load_extra("mcp", "livevlm.gateway.mcpserver").run)
    start_logging(2 * args.verbose - 1)
    return run(dial, Album(address=args.server, token=own, ca=trusted))
