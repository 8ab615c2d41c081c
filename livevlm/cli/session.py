"""A session with the daemon that the shared flags name."""

from __future__ import annotations

import argparse
from contextlib import AbstractAsyncContextManager

from livevlm.cli.parsing import authority, token
from livevlm.client import Client, connect


def session(args: argparse.Namespace) -> AbstractAsyncContextManager[Client]:
    """As `livevlm.client.connect`, by --server, --token-file and --ca. ConfigError for files that cannot be used."""
    return connect(args.server, token=token(args), ca=authority(args))
