"""Absence: a file or a folder that is named and is not there, told before anything is opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from streams.address import Address, parse_address
from streams.errors import SourceNotFound


def check_there(url: str) -> None:
    """Raise SourceNotFound where the address is a recording's on this machine and nothing, or the wrong thing, is at its path.

    What is live may be away and come back, a folder that fills among it; AddressUnsupported as `parse_address`.
    """
    address = parse_address(url)
    if address.live or address.kind not in ("file", "folder"):
        return
    try:
        is_folder = stat.S_ISDIR(os.stat(address.target).st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFound(
            f"{address.shown}: there is no such {address.kind}{_looked_for(address)}; check the path"
        ) from error
    except (OSError, ValueError):
        return  # Opening it says more.
    if address.kind == "file" and is_folder:
        raise SourceNotFound(
            f"{address.shown} is a folder; give the path of a video file, or dir:{address.shown} for its pictures"
        )
    if address.kind == "folder" and not is_folder:
        raise SourceNotFound(f"{address.shown} is no folder; write its path without dir:")


def _looked_for(address: Address) -> str:
    """Where a path that does not say so itself leads to: who adds a stream may stand elsewhere than the daemon."""
    return "" if Path(address.target).as_posix() in address.shown else f" at {address.target}"
