"""Asking cheaply whether a lost source is there again."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from livevlm.bench.rtsp import RtspServer
from streams.address import parse_address
from streams.clip import encode_clip
from streams.doorbell import reachable
from tests.streams.pictures import many


def test_a_port_that_answers_and_one_that_does_not() -> None:
    """Without opening the stream, and without credentials."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://u:p@127.0.0.1:{server.getsockname()[1]}/cam"
        assert reachable(parse_address(url))
    assert not reachable(parse_address(url))


def test_a_camera_answers_and_an_open_port_alone_does_not() -> None:
    """What accepts connections and is silent, has no such path, wants a password where we have none, or says something else, is
    no camera that came back.
    """
    with RtspServer(encode_clip(many(2), 50), credentials=("u", "p")) as server:
        assert reachable(parse_address(server.url_of(user="u:wrong")))
        assert not reachable(parse_address(server.url_of()))
    assert not reachable(parse_address(server.url))
    with RtspServer(encode_clip(many(2), 50)) as server:
        assert reachable(parse_address(server.url))
        assert not reachable(parse_address(server.url_of("/other")))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/cam"
        assert not reachable(parse_address(url), timeout_s=0.05)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"RT", b""])
def test_what_answers_but_not_rtsp(said: bytes) -> None:
    """Another protocol, half a word, the end of the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_once, args=(server, said))
        answering.start()
        assert not reachable(parse_address(f"rtsp://u:p@127.0.0.1:{server.getsockname()[1]}/cam"))
        answering.join()


def test_credentials_are_not_given_to_whoever_answers() -> None:
    """It is asked before anything is known about who is there."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_once, args=(server, b"RTSP/1.0 200 OK", asked))
        answering.start()
        assert reachable(
            parse_address(f"rtsp://admin:hunter2@127.0.0.1:{server.getsockname()[1]}/cam")
        )
        answering.join()
    assert b"DESCRIBE rtsp://127.0.0.1:" in asked[0]
    assert b"hunter2" not in asked[0]


def test_what_stands_behind_a_question_mark_is_not_told_either() -> None:
    """Some cameras take the password there. Without it their path may be none: so only whether RTSP is spoken is asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_once, args=(server, b"RTSP/1.0 200 OK", asked))
        answering.start()
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/live?password=hunter2"
        assert reachable(parse_address(url))
        answering.join()
    assert b"OPTIONS rtsp://127.0.0.1:" in asked[0]
    assert b"hunter2" not in asked[0]


def answer_once(server: socket.socket, said: bytes, asked: list[bytes] | None = None) -> None:
    """Accept one connection, take what it asks, say this, and end it."""
    sock, _peer = server.accept()
    with sock:
        (asked if asked is not None else []).append(sock.recv(4096))
        sock.sendall(said)


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
