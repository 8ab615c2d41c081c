"""A small RTSP server that plays generated H.264 over TCP, and misbehaves on demand.

It speaks what a camera's client needs (OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN; RTP interleaved in the TCP
connection) and can refuse credentials, have no such path, fall silent, freeze, damage pictures, vanish and come back.
"""

from __future__ import annotations

import base64
import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

PAYLOAD_BYTES = 1200
PATH = "/cam"


@dataclass(frozen=True)
class Clip:
    """Encoded pictures: for each, its NAL units."""

    fps: int
    pictures: list[list[bytes]]

    @property
    def parameter_sets(self) -> list[bytes]:
        return [nal for nal in self.pictures[0] if nal[0] & 31 in (7, 8)]


def encode_clip(
    images: Iterable[npt.NDArray[np.uint8]], fps: int, keyframe_every: int = 10
) -> Clip:
    """H.264 without B-frames, parameter sets in front of each keyframe."""
    codec: VideoCodecContext | None = None
    pictures: list[list[bytes]] = []
    for index, image in enumerate(images):
        codec = codec or _encoder(image.shape[1], image.shape[0], fps, keyframe_every)
        picture = VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts = index
        pictures += [_nal_units(bytes(packet)) for packet in codec.encode(picture)]
    assert codec is not None, "a clip needs a picture"
    pictures += [_nal_units(bytes(packet)) for packet in codec.encode(None)]
    return Clip(fps, pictures)


def _encoder(width: int, height: int, fps: int, keyframe_every: int) -> VideoCodecContext:
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
    codec.framerate = Fraction(fps)
    codec.gop_size = keyframe_every
    codec.options = {"preset": "ultrafast", "tune": "zerolatency"}
    return codec


def _nal_units(annex_b: bytes) -> list[bytes]:
    parts = annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


class RtspServer:
    """Serves `clip` in a loop at `rtsp://.../cam`. A context manager; the port stays the same over `stop` and `start`.

    credentials: user and password, asked for (Basic) when given. silent: accepts, never answers. begin_at: the picture that
    playing begins at. damage: pictures, by index in the clip, that are sent with their contents overwritten. announce: whether
    the description holds the parameter sets; without, they only come with each keyframe.
    """

    def __init__(
        self,
        clip: Clip,
        *,
        credentials: tuple[str, str] | None = None,
        silent: bool = False,
        begin_at: int = 0,
        damage: frozenset[int] = frozenset(),
        announce: bool = True,
    ) -> None:
        self.clip = clip
        self.credentials = credentials
        self.silent = silent
        self.begin_at = begin_at
        self.damage = damage
        self.announce = announce
        self.media = "video"
        self.plays = 0
        self.frozen = threading.Event()
        self._port = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The address with the right credentials in it."""
        user = f"{self.credentials[0]}:{self.credentials[1]}@" if self.credentials else ""
        return f"rtsp://{user}127.0.0.1:{self._port}{PATH}"

    def url_of(self, path: str = PATH, user: str = "") -> str:
        """Another address on this server."""
        return f"rtsp://{user + '@' if user else ''}127.0.0.1:{self._port}{path}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after a `stop`, again on the same port."""
        self._stopping = threading.Event()
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._sockets = [listener]
        self._threads = []
        self._spawn(self._accept, listener)

    def stop(self) -> None:
        """Vanish: refuse new connections, drop those there are."""
        self._stopping.set()
        self.frozen.clear()
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for sock in sockets:
            _cut(sock)
        for thread in list(self._threads):
            thread.join(5)

    def _spawn(self, target: object, *args: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                sock, _peer = listener.accept()
            except OSError:
                return
            with self._lock:
                self._sockets.append(sock)
            if self._stopping.is_set():
                _cut(sock)
            elif not self.silent:
                self._spawn(self._serve, sock, self._stopping)

    def _serve(self, sock: socket.socket, stopping: threading.Event) -> None:
        over = threading.Event()
        sending = threading.Lock()
        try:
            with sock.makefile("rb") as stream:
                while request := _read_request(stream):
                    reply, play = self._answer(*request)
                    with sending:
                        sock.sendall(reply)
                    if play:
                        self._spawn(self._play, sock, sending, stopping, over)
                    if request[0] == "TEARDOWN":
                        return
        except OSError:
            return
        finally:
            over.set()
            _cut(sock)

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> tuple[bytes, bool]:
        number = headers.get("cseq", "0")
        if method == "OPTIONS":
            public = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
            return _reply(number, "200 OK", {"Public": public}), False
        if not self._may(headers.get("authorization", "")):
            return _reply(
                number, "401 Unauthorized", {"WWW-Authenticate": 'Basic realm="cam"'}
            ), False
        if PATH not in url:
            return _reply(number, "404 Not Found", {}), False
        if method == "DESCRIBE":
            about = {"Content-Type": "application/sdp", "Content-Base": url + "/"}
            return _reply(number, "200 OK", about, self._sdp()), False
        if method == "SETUP":
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
            return _reply(number, "200 OK", {"Transport": transport, "Session": "1"}), False
        return _reply(number, "200 OK", {"Session": "1"}), method == "PLAY"

    def _may(self, header: str) -> bool:
        if self.credentials is None:
            return True
        return header == "Basic " + base64.b64encode(":".join(self.credentials).encode()).decode()

    def _sdp(self) -> bytes:
        sets = ",".join(base64.b64encode(nal).decode() for nal in self.clip.parameter_sets)
        lines = (
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=test",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            f"m={self.media} 0 RTP/AVP 96",
            f"a=rtpmap:96 {'H264/90000' if self.media == 'video' else 'opus/48000/2'}",
            "a=fmtp:96 packetization-mode=1" + (f";sprop-parameter-sets={sets}" * self.announce),
            "a=control:video",
        )
        return "\r\n".join((*lines, "")).encode()

    def _play(
        self,
        sock: socket.socket,
        sending: threading.Lock,
        stopping: threading.Event,
        over: threading.Event,
    ) -> None:
        self.plays += 1
        sequence, index = 0, self.begin_at
        while not (stopping.is_set() or over.wait(1 / self.clip.fps)):
            if self.frozen.is_set():
                continue
            place = index % len(self.clip.pictures)
            units = [
                _damaged(nal) if place in self.damage else nal for nal in self.clip.pictures[place]
            ]
            stamp = (1_000_000 + index * 90_000 // self.clip.fps) & 0xFFFFFFFF
            packets = list(_rtp_packets(units, sequence, stamp))
            try:
                with sending:
                    sock.sendall(b"".join(packets))
            except OSError:
                return
            sequence += len(packets)
            index += 1


def _damaged(nal: bytes) -> bytes:
    """The same header and length, its contents overwritten."""
    return nal[:2] + bytes([0xA5]) * (len(nal) - 2)


def _rtp_packets(units: list[bytes], sequence: int, stamp: int) -> Iterable[bytes]:
    """The picture in RTP packets (FU-A where a unit is too long for one), each framed for the TCP connection."""
    payloads: list[bytes] = []
    for nal in units:
        if len(nal) <= PAYLOAD_BYTES:
            payloads.append(nal)
            continue
        indicator, kind, body = (nal[0] & 0xE0) | 28, nal[0] & 31, nal[1:]
        pieces = [body[at : at + PAYLOAD_BYTES] for at in range(0, len(body), PAYLOAD_BYTES)]
        for number, piece in enumerate(pieces):
            flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
            payloads.append(bytes([indicator, flags | kind]) + piece)
    for number, payload in enumerate(payloads):
        marker = 0x80 if number == len(payloads) - 1 else 0
        header = struct.pack(">BBHII", 0x80, marker | 96, (sequence + number) & 0xFFFF, stamp, 7)
        yield struct.pack(">cBH", b"$", 0, len(header) + len(payload)) + header + payload


def _read_request(stream: object) -> tuple[str, str, dict[str, str]] | None:
    """Method, address and headers of the next request, RTCP from the client skipped; None at the end."""
    read, readline = getattr(stream, "read"), getattr(stream, "readline")  # noqa: B009
    first: bytes = read(1)
    while first == b"$":
        _channel, length = struct.unpack(">BH", read(3))
        read(length)
        first = read(1)
    line = (first + readline()).decode().split()
    if len(line) < 2:
        return None
    headers: dict[str, str] = {}
    while (text := readline().decode().strip()) != "":
        name, _colon, value = text.partition(":")
        headers[name.lower()] = value.strip()
    read(int(headers.get("content-length", "0")))
    return line[0], line[1], headers


def _reply(number: str, status: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"RTSP/1.0 {status}", f"CSeq: {number}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
