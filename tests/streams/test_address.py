"""What a user may write to name a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.address import is_live, may_end, parse_address
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
        ("srt://h:9000?mode=caller", "network", True),
        ("dir:photos", "folder", False),
        ("dir:///photos?fps=2", "folder", False),
        ("dir:photos?live=1", "folder", True),
        ("dir:photos?live=new", "folder", True),
        ("-", "pipe", False),
        ("pipe:", "pipe", False),
        ("pipe:0?live=1&format=h264", "pipe", True),
    ],
)
def test_kinds(url: str, kind: str, live: bool) -> None:
    """Each kind of address is told apart, and whether its pictures come when they happen."""
    assert (parse_address(url, platform="linux").kind, is_live(url)) == (kind, live)


def test_a_path_never_reads_as_a_protocol() -> None:
    """libav takes what stands before a colon for a protocol; an absolute path has none."""
    assert parse_address("concat:a.mp4").target == str(Path.cwd() / "concat:a.mp4")
    assert parse_address("file:///tmp/a%20b.mp4").target == "/tmp/a b.mp4"
    assert parse_address("~/a.mp4").target == str(Path.home() / "a.mp4")


def test_devices() -> None:
    """A webcam by number or by path, with what is asked of it; a screen by its display."""
    webcam = parse_address("webcam:2?size=1280x720&fps=30")
    assert (webcam.format, webcam.target) == ("v4l2", "/dev/video2")
    assert webcam.options == {"video_size": "1280x720", "framerate": "30"}
    assert parse_address("/dev/video1?fps=5").options == {"framerate": "5"}
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
        ("webcam:0?zoom=2", "fps, size, format"),
        ("webcam:0?size=big", "1280x720"),
        ("screen:?at=5", "100,50"),
        ("dir:", "names no folder"),
        ("pipe:3", "only standard input"),
        ("-?speed=1", "format and live"),
        ("webcams://0", "did you mean webcam:?"),
    ],
)
def test_what_is_no_address(url: str, says: str) -> None:
    """The error names the address without its credentials, and the way out."""
    with pytest.raises(AddressUnsupported, match=says) as caught:
        parse_address(url, platform="linux")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "url", "format", "target", "options"),
    [
        ("linux", "webcam:1", "v4l2", "/dev/video1", {}),
        ("linux", "webcam:/dev/v4l/by-id/usb-cam", "v4l2", "/dev/v4l/by-id/usb-cam", {}),
        ("linux", "webcam:0?format=mjpeg", "v4l2", "/dev/video0", {"input_format": "mjpeg"}),
        ("darwin", "webcam:1", "avfoundation", "1:none", {"framerate": "30"}),
        ("darwin", "webcam:FaceTime HD?fps=15", "avfoundation", "FaceTime HD:none", {"framerate": "15"}),
        ("win32", "webcam:0", "dshow", "0", {}),
        ("win32", "webcam:USB Cam?format=mjpeg", "dshow", "video=USB Cam", {"vcodec": "mjpeg"}),
        ("linux", "screen::3", "x11grab", ":3", {"framerate": "10"}),
        ("linux", "screen::3?fps=5&size=64x48&at=10,20", "x11grab", ":3",
         {"framerate": "5", "video_size": "64x48", "grab_x": "10", "grab_y": "20"}),
        ("darwin", "screen:", "avfoundation", "Capture screen 0:none", {"framerate": "30"}),
        ("darwin", "screen:1", "avfoundation", "Capture screen 1:none", {"framerate": "30"}),
        ("win32", "screen:", "gdigrab", "desktop", {"framerate": "10"}),
        ("win32", "screen:My Window?at=1,2", "gdigrab", "title=My Window",
         {"framerate": "10", "offset_x": "1", "offset_y": "2"}),
    ],
)  # fmt: skip
def test_devices_on_each_platform(
    platform: str, url: str, format: str, target: str, options: dict[str, str]
) -> None:
    """libav knows webcams and screens by other names on each platform."""
    address = parse_address(url, platform=platform)
    assert (address.format, address.target, address.options) == (format, target, options)
    assert (address.live, address.shown) == (True, url)


def test_a_device_path_is_a_webcam_on_linux_only() -> None:
    """Elsewhere /dev/video0 is nothing in particular."""
    assert parse_address("/dev/video0", platform="darwin").kind == "file"
    with pytest.raises(AddressUnsupported, match="screen:0"):
        parse_address("screen:main", platform="darwin")


@pytest.mark.parametrize(
    ("url", "ends"),
    [
        ("clip.mp4", True),
        ("-?live=1", True),
        ("https://h/vod.m3u8", True),
        ("rtsp://h/s", False),
        ("dir:photos?live=1", False),
    ],
)
def test_where_a_recording_may_be(url: str, ends: bool) -> None:
    """A playlist over HTTP is of a broadcast or of a recording: only opening it tells."""
    assert may_end(url) is ends
