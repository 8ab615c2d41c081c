"""Frames over RTSP and HTTP, from servers that work and servers that do not."""

from __future__ import annotations

import socket
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from livevlm.bench.rtsp import RtspServer
from streams.address import parse_address
from streams.clip import Clip, encode_clip
from streams.container import ContainerSource
from streams.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    NoVideo,
    SourceNotFound,
    SourceTimedOut,
    StreamError,
)
from streams.frame import Frame
from streams.open import open_source
from streams.source import SourceOptions
from tests.streams.http_server import web_server
from tests.streams.pictures import many, number_of, record, until

QUICK = SourceOptions(open_timeout_s=1, read_timeout_s=1)
PATIENT = SourceOptions(open_timeout_s=20, read_timeout_s=20)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return encode_clip(many(60), 50, keyframe_every=10)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with web_server(
        record(tmp_path_factory.mktemp("web") / "clip.mp4", 30).read_bytes()
    ) as address:
        yield address


def read(url: str, count: int = 10_000, options: SourceOptions = PATIENT) -> list[Frame]:
    frames: list[Frame] = []
    with ContainerSource(parse_address(url), name="cam", options=options) as source:
        for frame in source:
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


def refusal(url: str, error: type[StreamError], options: SourceOptions = PATIENT) -> str:
    """What reading the address fails with; no credential may be in it, nor in the traceback that a log would show."""
    with pytest.raises(error) as caught:
        read(url, options=options)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    assert "127.0.0.1" in caught.value.message
    return caught.value.message


def test_rtsp_pictures_come_in_order_with_their_time(clip: Clip) -> None:
    """A camera is followed from its first picture, and round its loop."""
    with RtspServer(clip) as server:
        frames = read(server.url, 80)
    assert [number_of(frame.image) for frame in frames] == [index % 60 for index in range(80)]
    assert [frame.index for frame in frames] == list(range(80))
    assert [frame.pts_s for frame in frames] == pytest.approx(
        [index / 50 for index in range(80)], abs=0.03
    )


def test_rtsp_with_the_right_credentials(clip: Clip) -> None:
    """Percent-encoded characters in a password arrive as they are meant."""
    with RtspServer(clip, credentials=("admin", "hunter2/@")) as server:
        assert len(read(server.url_of(user="admin:hunter2%2F%40"), 2)) == 2


def test_rtsp_with_wrong_credentials(clip: Clip) -> None:
    """401 is told apart from a camera that is off, and names the address without the password."""
    with RtspServer(clip, credentials=("admin", "right")) as server:
        message = refusal(server.url_of(user="admin:hunter2"), AuthenticationFailed)
    assert "password" in message


def test_rtsp_with_a_wrong_path(clip: Clip) -> None:
    """404 is told apart too."""
    with RtspServer(clip) as server:
        assert "path" in refusal(server.url_of("/nothing", user="u:hunter2"), SourceNotFound)


def test_rtsp_with_nobody_there() -> None:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refused" in refusal(f"rtsp://u:hunter2@127.0.0.1:{port}/cam", ConnectionFailed)


@pytest.mark.parametrize("scheme", ["rtsp", "http", "rtmp"])
def test_a_server_that_accepts_and_is_silent(scheme: str) -> None:
    """The open timeout ends the wait, whatever the protocol."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{scheme}://u:hunter2@127.0.0.1:{server.getsockname()[1]}/app/live"
        assert "open_timeout_s" in refusal(url, SourceTimedOut, QUICK)


def test_a_silent_server_and_a_read_timeout_shorter_than_the_other() -> None:
    """libav gives up reading first, with an error of its own; it is still the server's silence, and says what to raise."""
    options = SourceOptions(open_timeout_s=20, read_timeout_s=0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"
        assert "within 0.5 s; " in refusal(url, SourceTimedOut, options)


def test_a_camera_that_freezes(clip: Clip) -> None:
    """The read timeout ends the wait, though the connection stays."""
    with (
        RtspServer(clip) as server,
        ContainerSource(parse_address(server.url), name="cam", options=QUICK) as source,
    ):
        frames = iter(source)
        next(frames)
        server.frozen.set()
        with pytest.raises(SourceTimedOut, match="read_timeout_s"):
            list(frames)


def test_a_camera_that_vanishes_ends_the_iteration(clip: Clip) -> None:
    """That is a loss, which the reader knows by `live`."""
    with (
        RtspServer(clip) as server,
        ContainerSource(parse_address(server.url), name="cam", options=PATIENT) as source,
    ):
        frames = iter(source)
        next(frames)
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert len(list(frames)) < 10_000
        stopper.join()
        assert source.live


@pytest.mark.parametrize("announce", [True, False])
def test_what_comes_before_the_first_keyframe_is_left_out(clip: Clip, announce: bool) -> None:
    """Joining in the middle begins with a whole picture, never with grey smear."""
    with RtspServer(clip, begin_at=3, announce=announce) as server:
        assert [number_of(frame.image) for frame in read(server.url, 5)] == [10, 11, 12, 13, 14]


def test_damaged_pictures_are_counted_and_left_out(clip: Clip) -> None:
    """Frames that cannot be decoded do not end a camera."""
    lost: Counter[str] = Counter()
    options = SourceOptions(on_drop=lambda reason: lost.update([reason]))
    with RtspServer(clip, damage=frozenset({20})) as server:
        frames = read(server.url, 50, options)
    assert lost["corrupt"] >= 1
    assert [number_of(frame.image) for frame in frames] == [*range(20), *range(30, 60)]
    assert frames[20].pts_s == pytest.approx(0.6, abs=0.03)


def test_cancelling_a_live_source(clip: Clip) -> None:
    """A camera is let go at its next packet."""
    stop = threading.Event()
    options = SourceOptions(cancelled=stop.is_set)
    with (
        RtspServer(clip) as server,
        ContainerSource(parse_address(server.url), name="cam", options=options) as source,
    ):
        frames = iter(source)
        next(frames)
        stop.set()
        assert len(list(frames)) < 100
    until(lambda: server.plays == 1)


def test_a_recording_over_http_is_no_camera(web: str) -> None:
    """It has an end, so its end is no loss."""
    with ContainerSource(parse_address(f"{web}/clip.mp4"), name="cam", options=PATIENT) as source:
        assert not source.live
        assert [number_of(frame.image) for frame in source] == list(range(30))


def test_an_mjpeg_camera_over_http(web: str) -> None:
    """The cheapest cameras send JPEGs without any time stamp."""
    with ContainerSource(
        parse_address(f"{web}/live?user=u&pwd=hunter2"), name="cam", options=PATIENT
    ) as source:
        assert source.live
        frames = [frame for frame, _ in zip(source, range(10), strict=False)]
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    times = [frame.pts_s for frame in frames]
    assert times == sorted(times)


def test_http_refusals(web: str) -> None:
    """As over RTSP."""
    refusal(f"{web}/locked?token=hunter2", AuthenticationFailed)
    refusal(f"{web.replace('//', '//u:hunter2@')}/nothing.mp4", SourceNotFound)


def test_a_camera_that_sends_only_sound_is_no_video(tmp_path: Path) -> None:
    """An RTSP session without a picture says so instead of waiting for one."""
    with RtspServer(encode_clip(many(2), 50)) as server:
        server.media = "audio"
        assert "video" in refusal(server.url, NoVideo)


@pytest.mark.parametrize("password", ["p@ss:w/rd", "w/rd", "a@b", "a?b"])
def test_a_password_that_was_not_encoded_is_guessed_at(password: str) -> None:
    """Who copies a password as it is finds out why nobody answers, and the password is not shown."""
    with (
        pytest.raises(StreamError, match="percent-encode") as error,
        open_source(f"rtsp://me:{password}@127.0.0.1:1/x", name="camera"),
    ):
        pass
    assert password not in error.value.message


def test_an_encoded_password_is_not_blamed() -> None:
    """Nobody is sent looking where nothing is wrong."""
    with (
        pytest.raises(StreamError) as error,
        open_source("rtsp://me:p%40ss@127.0.0.1:1/x", name="camera"),
    ):
        pass
    assert "percent-encode" not in error.value.message
