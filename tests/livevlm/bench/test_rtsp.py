"""The small RTSP server that benchmarks and tests read from."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm.bench.rtp import packetize
from livevlm.bench.rtsp import RtspServer
from livevlm.bench.scenery import encode_scenery, scenery
from livevlm.bench.viewer import MOST_WAITING_BYTES, Viewer
from streams.address import parse_address
from streams.clip import Clip, encode_clip
from streams.container import ContainerSource
from streams.errors import SourceNotFound
from streams.frame import Frame
from streams.source import RtspTransport, SourceOptions
from tests.streams.pictures import many, number_of, record, until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def clip() -> Clip:
    return encode_clip(many(60), 50, keyframe_every=10)


def first(url: str, count: int, transport: RtspTransport = "tcp") -> list[Frame]:
    """The first frames of a camera."""
    options = SourceOptions(open_timeout_s=20, read_timeout_s=20, rtsp_transport=transport)
    with ContainerSource(parse_address(url), name="cam", options=options) as source:
        return [frame for _, frame in zip(range(count), source, strict=False)]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_each_camera_begins_at_a_keyframe_of_its_own(clip: Clip, transport: RtspTransport) -> None:
    """Cameras of one clip do not show the same picture at the same time, over either transport."""
    with RtspServer(clip, cameras=3) as server:
        shown = [
            [number_of(frame.image) for frame in first(url, 12, transport)] for url in server.urls
        ]
        with pytest.raises(SourceNotFound):
            first(server.url_of("/cam3"), 1)
    assert shown == [list(range(begin, begin + 12)) for begin in (0, 20, 40)]


def test_b_frames_are_stamped_by_when_they_are_shown() -> None:
    """They are sent in the order of decoding, and come out in the other, round the loop."""
    clip = encode_clip(many(30), 50, b_frames=2)
    assert list(clip.shown) != sorted(clip.shown)
    with RtspServer(clip) as server:
        frames = first(server.url, 45)
    assert [number_of(frame.image) for frame in frames] == [index % 30 for index in range(45)]
    times = [frame.pts_s for frame in frames]
    assert times == pytest.approx([index / 50 for index in range(45)], abs=0.011)


def test_a_viewer_that_does_not_read_holds_up_nobody(clip: Clip) -> None:
    """What it does not take waits for it up to a bound; the others are served."""
    with RtspServer(clip, cameras=2) as server, socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", server.port))
        for method in ("SETUP", "PLAY"):
            asked = f"{method} {server.urls[0]} RTSP/1.0\r\nCSeq: 1\r\n\r\n"
            lazy.sendall(asked.encode())
        until(lambda: server.plays == 1)
        frames = first(server.urls[1], 50)
    assert len(frames) == 50


def test_what_a_connection_does_not_take_waits_in_order() -> None:
    """Nothing is lost or turned round where the other side is slow, and it is told that it is behind."""
    data = bytes(range(256)) * (MOST_WAITING_BYTES // 128)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        viewer = Viewer(ours)
        for start in range(0, len(data), 100_000):
            viewer.send(data[start : start + 100_000])
        assert viewer.behind
        got = bytearray()
        while len(got) < len(data):
            got += theirs.recv(1 << 20)
            viewer.flush()
    assert got == data
    assert not viewer.behind


def test_a_picture_is_cut_into_packets_and_numbered() -> None:
    """Long units are cut into fragments whose first and last are marked; numbers and stamps run over at their ends."""
    long = bytes([0x65]) + bytes(range(250))
    packets = packetize([b"\x67\x42", long], payload_bytes=100)
    filled = packets.stamped(0xFFFF, 2**32 + 5)
    datagrams = [bytes(each) for each in packets.datagrams(filled)]
    assert len(datagrams) == 1 + 3
    assert [int.from_bytes(each[2:4], "big") for each in datagrams] == [0xFFFF, 0, 1, 2]
    assert {int.from_bytes(each[4:8], "big") for each in datagrams} == {5}
    assert [each[1] >> 7 for each in datagrams] == [0, 0, 0, 1]
    assert [each[13] & 0xC0 for each in datagrams[1:]] == [0x80, 0, 0x40]
    assert b"".join(each[14:] for each in datagrams[1:]) == long[1:]
    assert all(bytes(each) in bytes(filled) for each in datagrams)


def test_the_server_as_a_process_of_its_own(tmp_path: Path) -> None:
    """One line says where its cameras are; it ends with its standard input."""
    film = record(tmp_path / "film.mp4", 30)
    command = [sys.executable, "-m", "livevlm.bench.rtsp", str(film), "--cameras", "2"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        urls = json.loads(process.stdout.readline())["urls"]
        assert [url.rpartition("/")[2] for url in urls] == ["cam0", "cam1"]
        assert len(first(urls[1], 3)) == 3
        process.stdin.close()
        assert process.wait(60) == 0


def test_scenery_costs_what_a_camera_costs() -> None:
    """Texture and noise make an encoder spend its rate; flat pictures would not."""
    size, count, fps = (320, 180), 30, 15
    clip = encode_scenery(size, fps=fps, keyframe_every=15, count=count, bit_rate=500_000)
    spent = sum(len(nal) for units in clip.pictures for nal in units) * 8 * fps / count
    assert 250_000 < spent < 1_000_000
    assert clip.keyframes == (0, 15)
    one, other = list(scenery(size, 2))
    assert one.shape == (180, 320, 3)
    assert (one != other).any()
