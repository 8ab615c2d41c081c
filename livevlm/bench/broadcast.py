"""Broadcast: what the small RTSP server shows, and what it replies to whoever asks for it. No sockets, no threads."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Collection

from livevlm.bench.rtp import CLOCK_HZ, Packets, packetize
from livevlm.bench.viewer import Request, Viewer
from streams.clip import Clip

FIRST_STAMP = 1_000_000
_CAMERA = re.compile(r"rtsp://[^/]+/cam(\d*)(/video)?/?")


class Broadcast:
    """`clip` in a loop at /cam0, /cam1, ...; the first camera is also found at /cam.

    cameras: how many; each begins at a keyframe of its own. credentials: user and password, asked for (Basic) when given.
    silent: accepts, never answers. begin_at: the picture that playing begins at. damage: pictures, by place in the clip,
    that are sent with their contents overwritten. announce: whether the description holds the parameter sets; without,
    they only come with each keyframe. They may be changed at any time, for connections to come. frozen: while set, nothing
    is sent. plays: how often a camera was watched.
    """

    def __init__(
        self,
        clip: Clip,
        *,
        cameras: int = 1,
        credentials: tuple[str, str] | None = None,
        silent: bool = False,
        begin_at: int | None = None,
        damage: Collection[int] = (),
        announce: bool = True,
    ) -> None:
        self.clip = clip
        self.cameras = cameras
        self.credentials = credentials
        self.silent = silent
        self.begin_at = begin_at
        self.announce = announce
        self.media = "video"
        self.plays = 0
        self.frozen = threading.Event()
        self._packets = [
            packetize([_damaged(nal) for nal in units] if place in damage else units)
            for place, units in enumerate(clip.pictures)
        ]

    def packets(self, index: int) -> tuple[Packets, int]:
        """The picture at this place of the endless loop, and its time stamp in ticks."""
        turn, place = divmod(index, len(self._packets))
        shown = turn * len(self._packets) + self.clip.shown[place]
        return self._packets[place], FIRST_STAMP + round(shown * CLOCK_HZ / self.clip.fps)

    def first(self, camera: int) -> int:
        """Where a viewer of this camera begins."""
        if self.begin_at is not None:
            return self.begin_at
        keyframes = self.clip.keyframes or (0,)
        return keyframes[camera * len(keyframes) // self.cameras % len(keyframes)]

    def answer(self, request: Request, viewer: Viewer, udp_port: int) -> bytes:
        """What to reply; a viewer that sets up or plays is told what it will get."""
        number = request.headers.get("cseq", "0")
        if request.method == "OPTIONS":
            public = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
            return _reply(number, "200 OK", {"Public": public})
        if not self._may(request.headers.get("authorization", "")):
            return _reply(number, "401 Unauthorized", {"WWW-Authenticate": 'Basic realm="cam"'})
        path = _CAMERA.fullmatch(request.url)
        if path is None or int(path[1] or 0) >= self.cameras:
            return _reply(number, "404 Not Found", {})
        if request.method == "DESCRIBE":
            about = {"Content-Type": "application/sdp", "Content-Base": request.url + "/"}
            return _reply(number, "200 OK", about, self._sdp())
        if request.method == "SETUP":
            viewer.camera = int(path[1] or 0)
            transport = _transport(request.headers.get("transport", ""), viewer, udp_port)
            return _reply(number, "200 OK", {"Transport": transport, "Session": "1;timeout=60"})
        if request.method == "PLAY" and not viewer.playing:
            viewer.index, viewer.playing, viewer.due_s = self.first(viewer.camera), True, 0.0
            self.plays += 1
        return _reply(number, "200 OK", {"Session": "1"})

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


def _transport(asked: str, viewer: Viewer, udp_port: int) -> str:
    """Of the transports that a viewer would take the first one, and what it then needs to know."""
    first = asked.split(",")[0]
    ports = re.search(r"client_port=(\d+)", first)
    if "TCP" in first or ports is None:
        viewer.datagrams_to = None
        return "RTP/AVP/TCP;unicast;interleaved=0-1"
    viewer.datagrams_to = (viewer.sock.getpeername()[0], int(ports[1]))
    told = f"client_port={ports[1]}-{int(ports[1]) + 1};server_port={udp_port}-{udp_port + 1}"
    return f"RTP/AVP;unicast;{told};ssrc=00000007"


def _damaged(nal: bytes) -> bytes:
    """The same header and length, its contents overwritten."""
    return nal[:2] + bytes([0xA5]) * (len(nal) - 2)


def _reply(number: str, status: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"RTSP/1.0 {status}", f"CSeq: {number}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body
