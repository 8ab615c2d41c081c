"""Streams added, paused, resumed and removed as people do it: commands against a daemon in a process of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from livevlm.cli import main
from tests.e2e.test_daemon import GUARD_S, daemon, get

Command = Callable[..., str]
PASSWORD = "hunter2"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command; what it prints. In this process, since a new one takes its time to begin."""

    def run(*words: str, code: int = 0) -> str:
        assert main(words) == code, capsys.readouterr()
        printed = capsys.readouterr()
        assert bool(printed.err) == bool(code)
        return printed.out

    return run


def seen(
    address: str, condition: Callable[[dict[str, Any]], bool] = bool, name: str = "yard"
) -> dict[str, Any]:
    """Wait until /v1/status tells of a stream what is wanted; all it tells of it then."""
    until = time.monotonic() + GUARD_S
    while True:
        listed = json.loads(get(address, "/v1/status"))["streams"]
        found: dict[str, Any] = next(one for one in listed if one["name"] == name)
        if condition(found):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.02)


def check_pause(address: str, command: Command) -> None:
    """Frames of the yard stop while the hall's go on, and come again; its time goes on."""
    assert "yard updated: paused" in command("streams", "pause", "yard")
    paused = seen(address, lambda s: s["frames_waiting"] == 0)
    assert paused["state"] == "paused"
    assert 'livevlm_stream_state{state="paused",stream="yard"} 1.0' in get(address, "/metrics")
    hall = seen(address, name="hall")["frames_encoded"]
    seen(address, lambda s: s["frames_encoded"] > hall + 5, "hall")
    command("ask", "what was there?", "-s", "yard")
    assert seen(address)["frames_encoded"] <= paused["frames_encoded"] + 1
    command("streams", "resume", "yard")
    resumed = seen(address, lambda s: s["frames_encoded"] > paused["frames_encoded"] + 1)
    assert resumed["as_of"]["stream_s"] > paused["as_of"]["stream_s"]


def test_a_stream_comes_and_goes_while_the_daemon_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    """Added and asked about; paused and resumed; removed, and gone; added again, with what it remembers; forgotten."""
    state = tmp_path / "state"
    words = ("--stream", "hall=test:?live=1", "--state-dir", str(state), "--set", "ingest.fps=10")
    with daemon(*words) as process:
        address = process.address()
        monkeypatch.setenv("LIVEVLM_SERVER", address)
        assert "yard added" in command("streams", "add", "yard", "test:?live=1&seed=5")
        seen(address, lambda s: s["as_of"] is not None)
        command("ask", "what is there?", "-s", "yard")
        check_pause(address, command)
        before = seen(address)["as_of"]["stream_s"]
        assert "yard removed" in command("streams", "remove", "yard")
        listed = [json.loads(line)["name"] for line in command("streams", "--json").splitlines()]
        assert listed == ["hall"]
        assert 'stream="yard"' not in get(address, "/metrics")
        command("ask", "what?", "-s", "yard", code=5)
        command("streams", "add", "yard", "test:?live=1&seed=6")
        again = seen(address, lambda s: s["frames_encoded"] > 0)
        assert again["as_of"]["stream_s"] > before
        command("streams", "remove", "yard", "--forget")
        assert [path.name for path in (state / "streams").iterdir()] == ["hall"]


def test_a_password_that_was_given_over_the_wire_shows_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    """Not in answers, pages, metrics, not in the log at its most talkative, and in no file."""
    state = tmp_path / "state"
    with daemon("--stream", "hall=test:?live=1", "--state-dir", str(state), "-v") as process:
        address = process.address()
        monkeypatch.setenv("LIVEVLM_SERVER", address)
        monkeypatch.setenv("CAMERA", f"rtsp://me:{PASSWORD}@127.0.0.1:1/x")
        said = command("streams", "add", "porch", "--url-env", "CAMERA")
        seen(address, lambda s: s["error"] is not None, "porch")
        said += command("streams") + get(address, "/v1/status") + get(address, "/metrics")
        process.process.terminate()
        assert process.end() == 0
    said += "\n".join(process.log)
    assert "rtsp://***@127.0.0.1:1/x" in said
    assert "Traceback" not in said
    # Its beginning alone would be too much: what is cut short is not recognised as an address any more.
    assert PASSWORD[:4] not in said
    files = [path for path in state.rglob("*") if path.is_file()]
    assert files
    assert not any(PASSWORD.encode() in path.read_bytes() for path in files)
