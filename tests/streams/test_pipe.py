"""Video that comes in on standard input: one stream reads it, and its end is the end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

from streams.errors import (
    AddressUnsupported,
    NoVideo,
    SourceBusy,
    SourceCorrupt,
    SourceNotFound,
)
from streams.frame import Frame
from streams.open import open_source
from streams.pipe import Waiting
from streams.source import SourceOptions
from tests.streams.pictures import SIZE, many, number_of


def encoded(path: Path, format: str, codec: str = "libx264", count: int = 30) -> bytes:
    """So many numbered pictures in a container that can be read from a pipe."""
    with av.open(str(path), "w", format=format) as out:
        stream = out.add_stream(codec, 25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in many(count):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return path.read_bytes()


@contextmanager
def piped(data: bytes, monkeypatch: pytest.MonkeyPatch, *, end: bool = True) -> Iterator[None]:
    """Standard input, into which so much comes; without an `end`, whoever reads on waits."""
    reading, writing = os.pipe()

    def write() -> None:
        try:
            for start in range(0, len(data), 4096):
                os.write(writing, data[start : start + 4096])
        except BrokenPipeError:
            pass  # The reader had seen enough.
        if end:
            os.close(writing)

    stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(reading, closefd=False)))
    monkeypatch.setattr("sys.stdin", stdin)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        os.close(reading)
        writer.join()
        if not end:
            os.close(writing)
        monkeypatch.setattr("sys.stdin", None)


def read(url: str = "-", options: SourceOptions | None = None) -> list[Frame]:
    with open_source(url, name="cam", options=options) as source:
        return list(source)


@pytest.mark.parametrize(
    ("format", "codec", "url"),
    [
        ("mpegts", "libx264", "-"),
        ("matroska", "libx264", "pipe:"),
        ("flv", "libx264", "pipe:?live=1"),
        ("mjpeg", "mjpeg", "-"),
        ("h264", "libx264", "-"),
        ("h264", "libx264", "pipe:0?format=h264&live=1"),
    ],
)
def test_pictures_come_in_order_and_the_end_is_the_end(
    format: str, codec: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any container that libav can read from a pipe, and raw video too; time goes on in all of them."""
    with piped(encoded(tmp_path / "clip", format, codec), monkeypatch):
        frames = read(url)
    numbers = [number_of(frame.image) for frame in frames]
    # What a live source leaves in the decoder is old by then; x264 holds back no more than this.
    assert numbers == list(range(len(numbers)))
    assert len(numbers) == 30 or ("live" in url and len(numbers) > 20)
    times = [frame.pts_s for frame in frames]
    assert times == sorted(times)
    if "live" not in url:
        assert times[-1] == pytest.approx(29 / 25, abs=0.05)


def test_a_redirected_file_can_be_sought_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MP4 with its index at the end comes in whole that way."""
    path = tmp_path / "clip.mp4"
    encoded(path, "mp4", count=60)
    with open(path, "rb") as redirected:
        raw = io.FileIO(redirected.fileno(), closefd=False)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(raw)))
        assert len(read()) == 60


def test_only_one_stream_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would share out the bytes; and what was read cannot be read again."""
    with piped(encoded(tmp_path / "clip", "mpegts"), monkeypatch):
        with open_source("-", name="first") as source:
            with pytest.raises(SourceBusy, match="one stream only"), open_source("-", name="2nd"):
                pass
            assert len(list(source)) == 30
        with pytest.raises(SourceBusy, match="another address"):
            read()


@pytest.mark.parametrize(
    ("data", "url", "error", "says"),
    [
        (b"", "-", NoVideo, "is empty"),
        (b"\x13\x37" * 50_000, "-", SourceCorrupt, "fragmented MP4"),
        (b"\x13\x37" * 50_000, "-?format=matroska", SourceCorrupt, "Matroska"),
        (b"\x13\x37" * 50_000, "-?format=nosuch", AddressUnsupported, "nosuch"),
    ],
    ids=["empty", "garbage", "other", "format"],
)
def test_what_is_no_video(
    data: bytes, url: str, error: type[Exception], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what can be piped."""
    with piped(data, monkeypatch), pytest.raises(error, match=says):
        read(url)


def test_without_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is not waited for, and a daemon has no standard input at all."""
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceNotFound, match="closed"):
        read()
    leader, follower = os.openpty()
    with open(follower, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        with pytest.raises(SourceNotFound, match="terminal"):
            read()
    monkeypatch.setattr("sys.stdin", None)
    os.close(leader)


def test_a_reader_that_waits_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that keeps the pipe open and sends nothing more must not keep the daemon from ending."""
    stop = threading.Event()
    options = SourceOptions(cancelled=stop.is_set)
    with piped(encoded(tmp_path / "clip", "mpegts"), monkeypatch, end=False):
        with open_source("-", name="cam", options=options) as source:
            frames = iter(source)
            next(frames)
            threading.Timer(0.1, stop.set).start()
            assert len(list(frames)) < 30


def test_reading_waits_for_what_comes() -> None:
    """A short read is no end; the end is."""
    reading, writing = os.pipe()
    waiting = Waiting(reading, lambda: False)
    os.write(writing, b"abc")
    assert waiting.read(2) == b"ab"
    assert waiting.read(10) == b"c"
    os.close(writing)
    assert waiting.read(10) == b""
    assert waiting.received == 3
    os.close(reading)


def test_the_command_takes_a_pipe(tmp_path: Path) -> None:
    """As users write it, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "livevlm", "probe", "-", "--json"],
        input=encoded(tmp_path / "clip", "mpegts"),
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert b'"pictures":30' in run.stdout
