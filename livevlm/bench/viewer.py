"""Viewer: one connection to the small RTSP server, what was asked over it, and what it is still to be sent."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

# A viewer that is this far behind is not sent another picture until it has caught up.
MOST_WAITING_BYTES = 4_000_000
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """One RTSP request; the names of headers are in small letters."""

    method: str
    url: str
    headers: dict[str, str]


class Viewer:
    """A connection's two buffers, and where in its camera's clip it is. Knows nothing of RTSP beyond its framing."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.camera = 0
        self.playing = False
        self.due_s = 0.0
        self.index = 0
        self.sequence = 0
        self.datagrams_to: tuple[str, int] | None = None
        self._received = bytearray()
        self._waiting = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes that could not be sent yet."""
        return len(self._waiting)

    @property
    def behind(self) -> bool:
        """Whether it takes its data more slowly than it comes."""
        return len(self._waiting) > MOST_WAITING_BYTES

    def receive(self) -> Iterator[Request]:
        """The requests that have come whole. ConnectionError at the connection's end."""
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError("the viewer went away")
        self._received += data
        while (request := self._next()) is not None:
            yield request

    def send(self, data: bytes | bytearray) -> None:
        """Send what the connection takes now, keep the rest. OSError where it is gone."""
        if self._waiting:
            self._waiting += data
            return
        sent = self._try(data)
        self._waiting += data[sent:]

    def flush(self) -> None:
        """Send of what waits as much as the connection takes now. OSError where it is gone."""
        del self._waiting[: self._try(self._waiting)]

    def _try(self, data: bytes | bytearray) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def _next(self) -> Request | None:
        got = self._received
        while got[:1] == b"$":  # Reports of a receiver, between the requests.
            if len(got) < 4 or len(got) < 4 + (length := struct.unpack(">H", got[2:4])[0]):
                return None
            del got[: 4 + length]
        end = got.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = bytes(got[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        if len(got) < end + 4 + length:
            return None
        del got[: end + 4 + length]
        method, url, *_version = (*first.split(), "", "")
        return Request(method, url, headers)
