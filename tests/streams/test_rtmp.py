"""Frames over RTMP, from a streaming server; and what this build of libav cannot speak."""

from __future__ import annotations

import socket

import av
import pytest

from streams.errors import AddressUnsupported, ConnectionFailed, StreamError
from streams.open import open_source
from streams.probe import probe
from streams.source import SourceOptions
from tests.streams.pictures import number_of
from tests.streams.rtmp_server import FPS, KEY, rtmp_server

PATIENT = SourceOptions(open_timeout_s=30, read_timeout_s=30)


def test_a_stream_is_played_and_its_end_is_a_loss() -> None:
    """Every picture in order with its time; a broadcast that stops is a live source that was lost."""
    with (
        rtmp_server(60) as address,
        open_source(f"{address}/{KEY}", name="cam", options=PATIENT) as source,
    ):
        assert source.live
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(60))
    assert [frame.pts_s for frame in frames] == pytest.approx(
        [index / FPS for index in range(60)], abs=0.005
    )


def test_a_server_that_vanishes() -> None:
    """Without a word: a broken connection, which the reader opens again."""
    with (
        rtmp_server(20, polite=False) as address,
        open_source(f"{address}/{KEY}", name="cam", options=PATIENT) as source,
    ):
        frames = iter(source)
        assert [number_of(next(frames).image) for _ in range(19)] == list(range(19))
        with pytest.raises(ConnectionFailed, match="check that it is on"):
            list(frames)


def test_probing_a_stream() -> None:
    """What is told of it."""
    with rtmp_server(40) as address:
        report = probe(f"{address}/{KEY}", seconds=20, options=PATIENT)
    assert (report.live, report.codec, report.pictures) == (True, "h264", 40)
    assert report.fps_measured == pytest.approx(FPS, rel=0.05)


def test_what_cannot_be_played() -> None:
    """A stream that nobody sends, and a server that is not there."""
    with rtmp_server(5) as address:
        with (
            pytest.raises(StreamError) as caught,
            open_source(f"{address}/other?token=hunter2", name="cam", options=PATIENT),
        ):
            pass
    assert "hunter2" not in caught.value.message
    with (
        pytest.raises(ConnectionFailed, match="refused"),
        open_source(f"{address}/{KEY}", name="cam", options=PATIENT),
    ):
        pass


def test_srt_is_opened_or_said_to_be_missing() -> None:
    """PyAV's own wheels have no SRT: then the error says so, and two ways out; a build that has it finds nobody there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"srt://127.0.0.1:{taken.getsockname()[1]}?passphrase=hunter2hunter2"
        with (
            pytest.raises(StreamError) as caught,
            open_source(url, name="cam", options=SourceOptions(open_timeout_s=1)),
        ):
            pass
    assert "hunter2" not in caught.value.message
    if isinstance(caught.value, AddressUnsupported):
        assert "not in this build of libav" in caught.value.message
        assert "ffmpeg -i srt://" in caught.value.message
    else:
        assert "srt" in av.library_meta["libavformat"]["configuration"]
