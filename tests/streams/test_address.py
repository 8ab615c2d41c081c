"""What a user may write to name a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.address import is_live, parse_address
from streams.errors import AddressUnsupported


@pytest.mark.parametrize(
    ("url", "kind", "live"),
    [
        ("clip.mp4", "file", False),
        ("./a:b.mp4", "file", False),
        ("a:b.mp4", "file", False),
        ("file:///tmp/clip.mp4", "file", False),
        ("rtsp://cam/s", "network", True),
        ("RTSPS://cam/s", "network", True),
        ("rtmp://h/app/key", "network", True),
        ("http://h/live.m3u8", "network", True),
        ("http://cam/video.mjpg", "network", True),
        ("https://h/clip.mp4?x=1", "network", False),
        ("webcam:0", "webcam", True),
        ("webcam:", "webcam", True),
        ("/dev/video2", "webcam", True),
        ("screen:", "screen", True),
        ("test:?seed=3", "test", False),
        ("test:?live=1", "test", True),
    ],
)
def test_kinds(url: str, kind: str, live: bool) -> None:
    """Each kind of address is told apart, and whether its pictures come when they happen."""
    assert (parse_address(url).kind, is_live(url)) == (kind, live)


def test_a_path_never_reads_as_a_protocol() -> None:
    """libav takes what stands before a colon for a protocol; an absolute path has none."""
    assert parse_address("concat:a.mp4").target == str(Path.cwd() / "concat:a.mp4")
    assert parse_address("file:///tmp/a%20b.mp4").target == "/tmp/a b.mp4"
    assert parse_address("~/a.mp4").target == str(Path.home() / "a.mp4")


def test_devices() -> None:
    """A webcam by number or by path, with what is asked of it; a screen by its display."""
    webcam = parse_address("webcam:2?size=1280x720&fps=30")
    assert (webcam.target, webcam.parameters) == ("/dev/video2", {"size": "1280x720", "fps": "30"})
    assert parse_address("/dev/video1?fps=5").target == "/dev/video1"
    assert parse_address("screen::7").target == ":7"


def test_the_screen_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a display given, DISPLAY says which."""
    monkeypatch.setenv("DISPLAY", ":42")
    assert parse_address("screen:").target == ":42"


def test_an_address_is_shown_without_its_credentials() -> None:
    """Everything that people see is made of `shown`; not even a traceback holds the rest."""
    address = parse_address("rtsp://admin:my 'secret@cam/s")
    assert address.shown == "rtsp://***@cam/s"
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("rtps://u:secret@cam/s", "did you mean rtsp"),
        ("gopher://h/x", "give a file's path"),
        ("rtsp:cam/s", "names no host"),
        ("rtsp:///s", "names no host"),
        ("rtsp://[::1/s", "IPv6"),
        ("webcam:front", "webcam:0"),
        ("dir:/photos", "video file"),
    ],
)
def test_what_is_no_address(url: str, says: str) -> None:
    """The error names the address without its credentials, and the way out."""
    with pytest.raises(AddressUnsupported, match=says) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)
