"""Greeting: whether what has accepted a connection speaks RTSP, asked without credentials and without opening a stream."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

REPLY = b"RTSP/"


def answers_rtsp(sock: socket.socket, url: str, timeout_s: float) -> bool:
    """Whether anything that is RTSP comes back within the time, a refusal too. OSError where the connection breaks.

    A camera that starts accepts connections before it answers, and one behind a broken network path seems to accept them.
    """
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    sock.settimeout(timeout_s)
    sock.sendall(f"OPTIONS {place} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
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
    return got == REPLY
