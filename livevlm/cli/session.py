"""A session with the daemon that the shared flags name."""

from __future__ import annotations

import argparse
from contextlib import AbstractAsyncContextManager

from livevlm.cli.parsing import authority, token
from livevlm.client import Client, connect


def session(
    args: argparse.Namespace, *, reconnect: bool = False
) -> AbstractAsyncContextManager[Client]:
    """As `livevlm.client.connect`, by --server, --token-file and --ca. ConfigError for files that cannot be used.

    reconnect: for commands that go on until they are stopped; the others had better say at once that the daemon is gone.
    """
    return connect(args.server, token=token(args), ca=authority(args), reconnect=reconnect)
