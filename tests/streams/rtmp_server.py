"""A small RTMP server: plays numbered pictures to whoever asks for /live/cam, in FLV messages, as streaming servers do."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.video.stream import VideoStream

from tests.streams.pictures import SIZE, many

APP, KEY = "live", "cam"
FPS = 50
CHUNK_BYTES = 4096
_PEERS_CHUNK_BYTES = 128  # until a peer says otherwise
SET_CHUNK_SIZE, COMMAND = 1, 20

Tag = tuple[int, int, bytes]  # kind of message, milliseconds, contents


def flv_tags(count: int) -> list[Tag]:
    """So many pictures as FLV tags, the first of which describes the video."""
    out = io.BytesIO()
    with av.open(out, "w", format="flv") as container:
        stream = container.add_stream(
            "libx264", FPS, options={"preset": "ultrafast", "tune": "zerolatency"}
        )
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = 10
        for image in many(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    data, tags = out.getvalue(), []
    at = 13  # behind the header and the first back pointer
    while at < len(data):
        length = int.from_bytes(data[at + 1 : at + 4], "big")
        stamp = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        tags.append((data[at], stamp, data[at + 11 : at + 11 + length]))
        at += 11 + length + 4
    return [tag for tag in tags if tag[0] in (9, 18)]


def _amf(value: object) -> bytes:
    """AMF0, the little of it that is needed."""
    if value is None:
        return b"\x05"
    if isinstance(value, (int, float)):
        return b"\x00" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\x02" + struct.pack(">H", len(value)) + value.encode()
    assert isinstance(value, dict)
    pairs = (struct.pack(">H", len(key)) + key.encode() + _amf(one) for key, one in value.items())
    return b"\x03" + b"".join(pairs) + b"\0\0\x09"


def _command(name: str, number: float, *values: object) -> bytes:
    return _amf(name) + _amf(number) + b"".join(map(_amf, values))


def _name_and_number(command: bytes) -> tuple[str, float]:
    length = int.from_bytes(command[1:3], "big")
    return command[3 : 3 + length].decode(), struct.unpack_from(">d", command, 4 + length)[0]


class _Peer:
    """One connection: messages in and out of chunks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._in = sock, sock.makefile("rb")
        self._their_chunk = _PEERS_CHUNK_BYTES
        self._our_chunk = _PEERS_CHUNK_BYTES
        self._heads: dict[int, tuple[int, int]] = {}  # of each chunk stream: length, kind

    def shake_hands(self) -> None:
        """Version, a block of noise each, and each other's noise back."""
        self._in.read(1)
        theirs = self._in.read(1536)
        self._sock.sendall(b"\x03" + bytes(1536) + theirs)
        self._in.read(1536)

    def read(self) -> tuple[int, bytes] | None:
        """The next message's kind and contents, None at the end."""
        parts: dict[int, bytes] = {}
        while head := self._in.read(1):
            shape, chunk_stream = head[0] >> 6, head[0] & 63
            assert chunk_stream > 1, "a client needs no more chunk streams than these"
            rest = self._in.read((11, 7, 3, 0)[shape])
            if shape < 2:
                self._heads[chunk_stream] = int.from_bytes(rest[3:6], "big"), rest[6]
            length, kind = self._heads[chunk_stream]
            so_far = parts.get(chunk_stream, b"")
            so_far += self._in.read(min(self._their_chunk, length - len(so_far)))
            parts[chunk_stream] = so_far
            if len(so_far) == length:
                if kind == SET_CHUNK_SIZE:
                    self._their_chunk = int.from_bytes(so_far, "big")
                return kind, so_far
        return None

    def write(self, kind: int, contents: bytes, *, stamp: int = 0, stream: int = 0) -> None:
        """One message, cut into chunks."""
        head = bytes([3]) + stamp.to_bytes(3, "big") + len(contents).to_bytes(3, "big")
        out = head + bytes([kind]) + stream.to_bytes(4, "little")
        for at in range(0, max(1, len(contents)), self._our_chunk):
            out += (b"\xc3" if at else b"") + contents[at : at + self._our_chunk]
        self._sock.sendall(out)
        if kind == SET_CHUNK_SIZE:
            self._our_chunk = int.from_bytes(contents, "big")


def _serve(sock: socket.socket, tags: list[Tag], over: threading.Event, polite: bool) -> None:
    peer = _Peer(sock)
    try:
        peer.shake_hands()
        while message := peer.read():
            if message[0] != COMMAND:
                continue
            name, number = _name_and_number(message[1])
            if name == "connect":
                peer.write(SET_CHUNK_SIZE, CHUNK_BYTES.to_bytes(4, "big"))
                about = {"level": "status", "code": "NetConnection.Connect.Success"}
                peer.write(COMMAND, _command("_result", number, {"fmsVer": "FMS/3"}, about))
            elif name == "createStream":
                peer.write(COMMAND, _command("_result", number, None, 1))
            elif name == "play":
                known = KEY.encode() in message[1]
                code = "NetStream.Play.Start" if known else "NetStream.Play.StreamNotFound"
                about = {"level": "status" if known else "error", "code": code}
                peer.write(COMMAND, _command("onStatus", 0, None, about), stream=1)
                if known:
                    _play(peer, tags, over, polite)
                return
    except OSError:
        pass  # The client had seen enough.
    finally:
        sock.close()


def _play(peer: _Peer, tags: list[Tag], over: threading.Event, polite: bool) -> None:
    """The description at once, then each picture in its time; `polite`: say that it is over."""
    for place, (kind, stamp, contents) in enumerate(tags):
        if place > 2 and over.wait(1 / FPS):
            return
        peer.write(kind, contents, stamp=stamp, stream=1)
    if polite:
        about = {"level": "status", "code": "NetStream.Play.UnpublishNotify"}
        peer.write(COMMAND, _command("onStatus", 0, None, about), stream=1)


@contextmanager
def rtmp_server(count: int, *, polite: bool = True) -> Iterator[str]:
    """The address of the server, up to the application's name, which plays so many pictures to each client."""
    tags, over = flv_tags(count), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                sock, _peer = listener.accept()
            except OSError:
                return
            clients.append(
                threading.Thread(target=_serve, args=(sock, tags, over, polite), daemon=True)
            )
            clients[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield f"rtmp://127.0.0.1:{listener.getsockname()[1]}/{APP}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *clients):
            thread.join(10)
