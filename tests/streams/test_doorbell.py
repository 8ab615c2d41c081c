"""Asking cheaply whether a lost source is there again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from streams.address import parse_address
from streams.doorbell import reachable


def test_a_port_that_answers_and_one_that_does_not() -> None:
    """Without opening the stream, and without credentials."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://u:p@127.0.0.1:{server.getsockname()[1]}/cam"
        assert reachable(parse_address(url))
    assert not reachable(parse_address(url))


@pytest.mark.parametrize(
    "url", ["rtsp://no-such-host.invalid/s", "rtsp://127.0.0.1:99999/s", f"http://{'a' * 70}.b/"]
)
def test_what_can_never_answer(url: str) -> None:
    """A name that is none must not end the thread that asks."""
    assert not reachable(parse_address(url))


def test_devices_and_files() -> None:
    """A webcam is there when its device is; for the rest only trying tells."""
    assert not reachable(parse_address("webcam:63"))
    assert reachable(parse_address("clip.mp4"))
    assert Path("/dev/video63").exists() == reachable(parse_address("/dev/video63"))
