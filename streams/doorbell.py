"""Doorbell: whether a source could be there again, asked cheaply, without opening it."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from streams.address import Address

_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}


def reachable(address: Address, timeout_s: float = 1.0) -> bool:
    """Whether the port answers within the time given, or the device exists; True where neither can be asked."""
    if address.kind == "webcam":
        return os.path.exists(address.target)
    if address.kind != "network":
        return True
    parts = urlsplit(address.target)
    try:
        port = parts.port or _PORTS[address.scheme]
        socket.create_connection((parts.hostname or "", port), timeout_s).close()
    except (OSError, ValueError):  # ValueError: a port or a name that cannot be one
        return False
    return True
