"""Doorbell: whether a source could be there again, asked cheaply, without opening it."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from streams.address import Address
from streams.greeting import has_stream

_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}


def reachable(address: Address, timeout_s: float = 0.7) -> bool:
    """Whether the port answers within the time given, or the device or folder exists; True where neither can be asked.

    At an RTSP port somebody must also have the path, and say so within as long again: an open port alone is no camera.
    """
    if address.kind == "folder" or address.format == "v4l2":
        return os.path.exists(address.target)
    # Elsewhere webcams have no path, and SRT has no connection that could be tried.
    if address.kind != "network" or address.scheme == "srt":
        return True
    parts = urlsplit(address.target)
    try:
        port = parts.port or _PORTS[address.scheme]
        with socket.create_connection((parts.hostname or "", port), timeout_s) as sock:
            if address.scheme == "rtsp":
                return has_stream(sock, address.target, timeout_s)
    except (OSError, ValueError):  # ValueError: a port or a name that cannot be one
        return False
    return True
