"""Frames of a real screen, of an X server that shows it to nobody; and webcams that cannot be read."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streams.address import parse_address
from streams.errors import ConnectionFailed, SourceBusy, SourceNotFound, StreamError
from streams.explain import explain
from streams.open import open_source
from streams.opening import open_container
from streams.probe import probe
from streams.source import SourceOptions

SIZE = (160, 120)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X display of SIZE, on a free number that the server chooses itself."""
    if shutil.which("Xvfb") is None:
        pytest.skip(
            "Xvfb is missing: a screen can only be grabbed where there is one (Debian: xvfb)"
        )
    reading, writing = os.pipe()
    screen = f"{SIZE[0]}x{SIZE[1]}x24"
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp"]
    command += [
        "-noreset"
    ]  # It would refuse the next one for a moment whenever the last one leaves.
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(30)


def test_the_screen_is_grabbed(display: str) -> None:
    """In its own size, picture after picture, each with its time."""
    with open_source(f"screen:{display}?fps=20", name="screen") as source:
        assert source.live
        frames = [frame for frame, _ in zip(source, range(4), strict=False)]
    assert [frame.image.shape for frame in frames] == [(SIZE[1], SIZE[0], 3)] * 4
    times = [frame.pts_s for frame in frames]
    assert times == sorted(set(times))


def test_a_part_of_the_screen_that_display_names(
    display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`screen:` alone is the user's own; a part of it has a corner and a size."""
    monkeypatch.setenv("DISPLAY", display)
    with open_source("screen:?fps=20&size=64x48&at=10,20", name="screen") as source:
        assert next(iter(source)).image.shape == (48, 64, 3)
    report = probe("screen:?fps=20", seconds=0.3)
    assert (report.live, report.width, report.height) == (True, *SIZE)


def test_a_part_that_is_not_on_the_screen(display: str) -> None:
    """More than there is cannot be grabbed; the error names the display."""
    with (
        pytest.raises(ConnectionFailed, match=display),
        open_source(f"screen:{display}?size=640x480", name="screen"),
    ):
        pass


@pytest.mark.parametrize(
    ("url", "code", "error", "says"),
    [
        ("webcam:0", errno.ENOENT, SourceNotFound, r"no /dev/video0.*ls /dev"),
        ("webcam:0", errno.EACCES, ConnectionFailed, "group `video`"),
        ("webcam:0", errno.EBUSY, SourceBusy, "close the other program"),
        ("webcam:0", errno.ENOTTY, ConnectionFailed, "check that it is a camera"),
        ("screen::1", errno.EIO, ConnectionFailed, "DISPLAY"),
    ],
)
def test_what_the_system_says_of_a_device(
    url: str, code: int, error: type[StreamError], says: str
) -> None:
    """Each error of the operating system is told in words, with a way out."""
    cause = OSError(code, os.strerror(code))
    explained = explain(cause, parse_address(url, platform="linux"), SourceOptions(), opening=True)
    assert type(explained) is error
    with pytest.raises(error, match=says):
        raise explained


def test_devices_of_other_platforms() -> None:
    """Where the system asks people whether a program may see, the error says so."""
    for platform in ("darwin", "win32"):
        address = parse_address("webcam:1", platform=platform)
        explained = explain(OSError(errno.EIO, "I/O"), address, SourceOptions(), opening=True)
        assert "privacy settings" in explained.message


def test_a_file_that_is_no_camera(tmp_path: Path) -> None:
    """What is no camera is told apart from what is not there."""
    (tmp_path / "video0").touch()
    address = replace(parse_address("webcam:0", platform="linux"), target=str(tmp_path / "video0"))
    with pytest.raises(ConnectionFailed, match="check that it is a camera"):
        open_container(address, SourceOptions())


ORDER = """
import sys
first, url = sys.argv[1:]
__import__(first)
from streams.open import open_source
from streams.errors import ConnectionFailed
try:
    with open_source(url, name="screen") as source:
        print(next(iter(source)).image.shape)
except ConnectionFailed as error:
    print(error.message)
"""


@pytest.mark.parametrize(
    ("first", "says"), [("livevlm.daemon", "(120, 160, 3)"), ("cv2", "import av first")]
)
def test_grabbing_does_not_crash_whatever_was_loaded_first(
    first: str, says: str, display: str
) -> None:
    """OpenCV's X libraries in PyAV's hands end the process: ours come in the right order, others' are refused."""
    run = subprocess.run(
        [sys.executable, "-c", ORDER, first, f"screen:{display}"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert says in run.stdout, run.stderr


def test_directshow_counts_its_webcams(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a number means nothing to libav: the name is looked up when the webcam is opened."""

    class Found:
        def __init__(self, name: str, *types: str) -> None:
            self.name, self.media_types = name, list(types)

    found = [Found("Mic", "audio"), Found("Front", "video"), Found("Back", "video", "audio")]
    opened: list[object] = []
    monkeypatch.setattr("av.enumerate_input_devices", lambda format: found)
    monkeypatch.setattr("av.open", lambda target, *_words, **_options: opened.append(target))
    open_container(parse_address("webcam:1", platform="win32"), SourceOptions())
    open_container(parse_address("webcam:Other", platform="win32"), SourceOptions())
    assert opened == ["video=Back", "video=Other"]
    with pytest.raises(SourceNotFound, match="there are 2 webcams"):
        open_container(parse_address("webcam:2", platform="win32"), SourceOptions())
