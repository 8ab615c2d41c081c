"""RTSP over UDP: the server of this project, and GStreamer's where it is installed."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from livevlm.bench import broadcast
from livevlm.bench.rtsp import RtspServer
from streams.clip import encode_clip
from streams.errors import SourceTimedOut
from streams.open import open_source
from streams.probe import probe
from streams.source import RtspTransport, SourceOptions
from tests.streams.pictures import many, number_of, record

GSTREAMER = Path("/usr/bin/python3")
HAS_GSTREAMER = "import gi; gi.require_version('GstRtspServer', '1.0')"


def options(transport: RtspTransport, **seconds: float) -> SourceOptions:
    patient = {"open_timeout_s": 30.0, "read_timeout_s": 30.0} | seconds
    return SourceOptions(rtsp_transport=transport, **patient)  # type: ignore[arg-type]


def test_pictures_come_over_udp(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, with their time; on this machine no datagram is lost."""
    asked: list[str] = []

    def note(transport: str, *more: object) -> str:
        asked.append(transport)
        return as_it_is(transport, *more)

    as_it_is = broadcast._transport
    monkeypatch.setattr(broadcast, "_transport", note)
    with RtspServer(encode_clip(many(60), 50, keyframe_every=10)) as server:
        with open_source(server.url, name="cam", options=options("udp")) as source:
            frames = [frame for frame, _ in zip(source, range(80), strict=False)]
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == [(numbers[0] + place) % 60 for place in range(80)]
    assert frames[-1].pts_s - frames[0].pts_s == pytest.approx(79 / 50, abs=0.05)
    assert len(asked) == 1
    assert "TCP" not in asked[0]


def test_a_camera_that_freezes_over_udp() -> None:
    """No connection breaks there: only the silence tells."""
    with RtspServer(encode_clip(many(60), 50, keyframe_every=10)) as server:
        quick = options("udp", read_timeout_s=1.0)
        with open_source(server.url, name="cam", options=quick) as source:
            frames = iter(source)
            next(frames)
            server.frozen.set()
            with pytest.raises(SourceTimedOut, match="read_timeout_s"):
                list(frames)


@pytest.fixture(scope="module")
def gstreamer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of GStreamer's own server."""
    if (
        not GSTREAMER.exists()
        or subprocess.run(
            [GSTREAMER, "-c", HAS_GSTREAMER], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("GStreamer's RTSP server is not installed (see tests/gst_rtsp_server.py)")
    clip = record(tmp_path_factory.mktemp("gst") / "clip.mp4", 100)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(__file__).parent.parent / "gst_rtsp_server.py"
    server = subprocess.Popen(
        [GSTREAMER, script, clip, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith(b"rtsp://"), "GStreamer's server did not start"
        yield f"rtsp://127.0.0.1:{port}/cam"
    finally:
        server.terminate()
        server.communicate(timeout=60)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_server_of_somebody_elses(gstreamer: str, transport: RtspTransport) -> None:
    """What works with our own server only would be worth little."""
    with open_source(gstreamer, name="cam", options=options(transport)) as source:
        frames = [frame for frame, _ in zip(source, range(30), strict=False)]
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == [(numbers[0] + place) % 100 for place in range(30)]


def test_a_camera_that_tells_its_time(gstreamer: str) -> None:
    """Its sender reports say how old a picture is; here both clocks are the same."""
    report = probe(gstreamer, seconds=4, options=options("tcp"))
    assert report.arrival is not None
    assert report.arrival.age_s is not None
    assert abs(report.arrival.age_s) < 20
    assert report.arrival.drift_s_per_min is not None
