"""A small RTSP server that plays encoded clips as cameras would, over TCP or UDP.

It speaks what a camera's client needs (OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN). One thread serves every
connection; packets are made once. It can want credentials, fall silent, freeze, damage pictures, vanish and come back.

As a process of its own it prints one line of JSON, its cameras' addresses, and plays until its standard input or it is ended.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from types import TracebackType
from typing import Self

from livevlm.bench.broadcast import Broadcast
from livevlm.bench.scenery import encode_scenery
from livevlm.bench.viewer import Viewer
from streams.clip import Clip, read_clip

HOST = "127.0.0.1"
PATH = "/cam"
# A viewer later than this, for the machine was busy, is not sent all that it missed at once.
MOST_LATE_S = 1.0


class RtspServer(Broadcast):
    """Serves what is broadcast on a thread of its own; a context manager. The port stays the same over `stop` and `start`."""

    _port = 0
    _thread: threading.Thread | None = None
    _wake: socket.socket | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 before the first `start`."""
        return self._port

    @property
    def url(self) -> str:
        """The first camera's address, with the right credentials in it."""
        return self.url_of(user=":".join(self.credentials) if self.credentials else "")

    @property
    def urls(self) -> list[str]:
        """Every camera's address, without credentials."""
        return [self.url_of(f"{PATH}{camera}") for camera in range(self.cameras)]

    def url_of(self, path: str = PATH, user: str = "") -> str:
        """Another address on this server."""
        return f"rtsp://{user + '@' if user else ''}{HOST}:{self._port}{path}"

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

    def start(self, port: int = 0) -> None:
        """Listen at `port`, or where it listened before a `stop`. OSError where the port is taken."""
        listener = socket.create_server((HOST, port or self._port), backlog=64)
        self._port = listener.getsockname()[1]
        self._wake, told = socket.socketpair()
        loop = _Loop(self, listener, told)
        self._thread = threading.Thread(target=loop.run, name="rtsp-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Vanish: refuse new connections, drop those there are."""
        self.frozen.clear()
        if self._wake is not None and self._thread is not None:
            self._wake.close()
            self._thread.join()
            self._wake = self._thread = None


class _Loop:
    """The server's thread: who connected, who is due a picture."""

    def __init__(self, broadcast: Broadcast, listener: socket.socket, told: socket.socket) -> None:
        self._broadcast, self._listener, self._told = broadcast, listener, told
        self._viewers: dict[socket.socket, Viewer] = {}
        self._held: list[socket.socket] = []
        self._datagrams = _udp_pair()
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until `told` is closed at its other end."""
        self._listener.setblocking(False)
        for sock in (self._listener, self._told):
            self._selector.register(sock, selectors.EVENT_READ)
        while True:
            for key, events in self._selector.select(self._send_due()):
                if key.fileobj is self._told:
                    self._end()
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.data, Viewer) and key.data.sock in self._viewers:
                    self._serve(key.data, events)

    def _accept(self) -> None:
        try:
            sock, _peer = self._listener.accept()
        except OSError:  # It went away before its turn came.
            return
        if self._broadcast.silent:
            self._held.append(sock)
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._viewers[sock] = viewer = Viewer(sock)
        self._selector.register(sock, selectors.EVENT_READ, viewer)

    def _serve(self, viewer: Viewer, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                viewer.flush()
            if events & selectors.EVENT_READ:
                for request in viewer.receive():
                    viewer.send(
                        self._broadcast.answer(request, viewer, self._datagrams[0].getsockname()[1])
                    )
                    if request.method == "TEARDOWN":
                        self._drop(viewer)
                        return
            self._watch(viewer)
        except BlockingIOError:
            return
        except (OSError, ValueError):  # Gone, or it does not speak RTSP.
            self._drop(viewer)

    def _send_due(self) -> float | None:
        """Send every picture that is due; seconds until the next one, None where nobody watches."""
        now_s, interval_s = time.monotonic(), 1 / self._broadcast.clip.fps
        for viewer in [one for one in self._viewers.values() if one.playing]:
            if viewer.due_s == 0.0:  # Cameras are not in step with each other.
                viewer.due_s = now_s + interval_s * viewer.camera / self._broadcast.cameras
            viewer.due_s = max(viewer.due_s, now_s - MOST_LATE_S)
            while viewer.due_s <= now_s and viewer.sock in self._viewers:
                viewer.due_s += interval_s
                if not self._broadcast.frozen.is_set():
                    self._send_picture(viewer)
        due = [viewer.due_s for viewer in self._viewers.values() if viewer.playing]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _send_picture(self, viewer: Viewer) -> None:
        packets, stamp = self._broadcast.packets(viewer.index)
        viewer.index += 1
        if viewer.behind:
            return
        filled = packets.stamped(viewer.sequence, stamp)
        viewer.sequence += len(packets.starts)
        try:
            if viewer.datagrams_to is None:
                viewer.send(filled)
                self._watch(viewer)
                return
            for datagram in packets.datagrams(filled):
                self._datagrams[0].sendto(datagram, viewer.datagrams_to)
        except BlockingIOError:
            return  # A full buffer loses datagrams, as a network does.
        except OSError:
            self._drop(viewer)

    def _watch(self, viewer: Viewer) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if viewer.waiting else 0)
        if self._selector.get_key(viewer.sock).events != events:
            self._selector.modify(viewer.sock, events, viewer)

    def _drop(self, viewer: Viewer) -> None:
        del self._viewers[viewer.sock]
        self._selector.unregister(viewer.sock)
        _cut(viewer.sock)

    def _end(self) -> None:
        for viewer in list(self._viewers.values()):
            self._drop(viewer)
        for sock in (self._listener, self._told, *self._held, *self._datagrams):
            _cut(sock)
        self._selector.close()


def _udp_pair() -> tuple[socket.socket, socket.socket]:
    """Two neighbouring ports, for packets and for their reports."""
    while True:
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.bind((HOST, 0))
        try:
            second.bind((HOST, first.getsockname()[1] + 1))
        except (OSError, OverflowError):  # The neighbour is taken, or there is none.
            first.close()
            second.close()
            continue
        first.setblocking(False)
        return first, second


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # It was never connected, or is already gone.
        pass
    sock.close()


def main(argv: Sequence[str]) -> int:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m livevlm.bench.rtsp", description=__doc__)
    parser.add_argument(
        "clip", nargs="+", help="H.264 files, played in turn, or a size such as 1920x1080"
    )
    parser.add_argument("--cameras", type=int, default=1, help="how many, /cam0, /cam1, ...")
    parser.add_argument("--port", type=int, default=0, help="0 (default): any that is free")
    parser.add_argument("--camera-fps", type=float, help="default: the file's own; 15 with a size")
    parser.add_argument("--gop", type=int, default=30, help="pictures a keyframe, with a size")
    parser.add_argument("--seconds", type=float, default=8.0, help="the loop's length, with a size")
    parser.add_argument("--bit-rate", type=int, default=3_000_000, help="with a size")
    options = parser.parse_args(argv)
    server = RtspServer(_clip(options), cameras=options.cameras)
    server.start(options.port)
    print(json.dumps({"urls": server.urls}), flush=True)
    try:
        sys.stdin.read()
    except KeyboardInterrupt:
        pass
    server.stop()
    return 0


def _clip(options: argparse.Namespace) -> Clip:
    size = re.fullmatch(r"(\d+)x(\d+)", options.clip[0])
    if size is None:
        first, *others = (read_clip(path) for path in options.clip)
        clip = reduce(Clip.then, others, first)
        return replace(clip, fps=options.camera_fps) if options.camera_fps else clip
    fps = options.camera_fps or 15.0
    return encode_scenery(
        (int(size[1]), int(size[2])),
        fps=fps,
        keyframe_every=options.gop,
        count=max(1, round(options.seconds * fps)),
        bit_rate=options.bit_rate,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
