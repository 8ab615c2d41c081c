"""Edition: which recording is behind an address, so that one that was watched is known again."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from streams.address import Address, parse_address
from streams.errors import StreamError
from streams.folder import FolderSource
from streams.source import SourceOptions

# Of the hash that stands for what an address hides: guessing a password from it takes as long as this makes one guess.
ROUNDS = 200_000


@dataclass(frozen=True, slots=True)
class Edition:
    """address: without credentials; of a file its whole path. version: what changes where the recording does: of a file its
    size and when it was changed. Both are only to be compared, and hold nothing secret.
    """

    address: str
    version: str


def edition_of(url: str) -> Edition | None:
    """The recording that is behind the address now. None where none is: it is live, can be read but once, or is not there."""
    address = parse_address(url)
    if address.live or address.kind == "pipe":
        return None
    try:
        if address.kind == "file":
            found = os.stat(address.target)
            return Edition(address.target, f"{found.st_size} bytes of {found.st_mtime_ns}")
        if address.kind == "folder":
            return Edition(address.target, _listing(address))
    except (OSError, StreamError):
        return None
    # Who serves it does not say what is behind an address before it is opened.
    return Edition(address.shown, _hidden(address))


def _listing(address: Address) -> str:
    """A hash of the folder's pictures: how it is to be played, their names, sizes and when they were changed."""
    with FolderSource(address, name="", options=SourceOptions()) as folder:
        said = repr((sorted(address.parameters.items()), sorted(folder.there.items())))
    return hashlib.sha256(said.encode()).hexdigest()


def _hidden(address: Address) -> str:
    """What is hidden in an address tells recordings apart, too: a hash of it."""
    if address.target == address.shown:
        return ""
    return hashlib.pbkdf2_hmac(
        "sha256", address.target.encode(), address.shown.encode(), ROUNDS
    ).hex()
