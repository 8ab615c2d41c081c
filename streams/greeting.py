"""Greeting: whether what has accepted a connection has our stream, asked by RTSP, without credentials, opening nothing."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

REPLY = b"RTSP/1.0 404"  # as much as is read
PROTOCOL = b"RTSP/"
ABSENT, REFUSED = b" 404", b" 401"


def has_stream(sock: socket.socket, url: str, timeout_s: float) -> bool:
    """Whether RTSP comes back within the time, but not that there is no such path. OSError where it breaks.

    A camera that starts accepts connections before it answers, and one behind a broken network path seems to accept them; and
    a server that has started may not have the camera's path yet. That credentials are wanted is an answer where the url has
    some, right or wrong; where it has none, nothing could be opened.
    """
    parts = urlsplit(url)
    no = (ABSENT,) if parts.username or parts.query else (ABSENT, REFUSED)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    # Behind a question mark there may be a password; without what stands there the path may be none.
    method = "OPTIONS" if parts.query else "DESCRIBE"
    sock.sendall(f"{method} {place} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
    deadline_s, got = time.monotonic() + timeout_s, b""
    while len(got) < len(REPLY):
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False
        sock.settimeout(left_s)
        piece = sock.recv(len(REPLY) - len(got))
        if not piece:
            return False
        got += piece
    return got.startswith(PROTOCOL) and not got.endswith(no)
