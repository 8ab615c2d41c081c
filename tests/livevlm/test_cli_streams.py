"""`livevlm streams` against a real server: what it prints, what it sends, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from livevlm.changes import AddStream, PauseStream, RemoveStream, ResumeStream
from livevlm.configfile import stream_settings
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import FakeService, stream_status
from tests.livevlm.test_cli import ROOT, Run, address, clean_environment, run, service, serving

__all__ = ["address", "clean_environment", "run", "service"]  # fixtures

URL = "rtsp://me:hunter2@camera.example/main"


def test_listing_is_what_happens_without_a_verb(run: Run, address: str) -> None:
    """One line a stream; as JSON all that is known of each."""
    code, out, err = run("streams", "--server", address)
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["STREAM", "STATE"],
        ["front", "live"],
        ["yard", "live"],
    ]
    assert run("streams", "list", "--server", address)[1] == out
    code, out, _ = run("streams", "--server", address, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(line["type"], line["name"], line["source"]) for line in lines] == [
        ("stream", "front", "test:front"),
        ("stream", "yard", "test:yard"),
    ]


def test_a_stream_is_added_with_settings(run: Run, address: str, service: FakeService) -> None:
    """The address and settings of its table arrive as they would from a file; credentials are not printed."""
    words = ("--set", "fps=0.5", "--set", "speed=max", "--set", "loop=true", "--server", address)
    code, out, err = run("streams", "add", "porch", URL, *words)
    assert (code, err) == (0, "")
    assert "porch added: connecting, rtsp://***@camera.example/main" in out
    wanted = {"url": URL, "fps": 0.5, "speed": "max", "loop": True}
    assert service.made == [AddStream(name="porch", settings=stream_settings("porch", wanted))]


def test_a_stream_that_fails_is_told_with_its_address_once(
    run: Run, address: str, service: FakeService
) -> None:
    """What is wrong with a source names it already."""
    shown = "rtsp://***@camera.example/main"
    error = f"{shown}: nobody answers; check that it is on, and its host and port"
    service.statuses[1] = stream_status("yard", source=shown, state="reconnecting", error=error)
    out = run("streams", "pause", "yard", "--server", address)[1]
    assert out.endswith(f"yard updated: {error}\n")
    service.statuses[1] = stream_status("yard", source=shown, state="failed", error="it broke")
    out = run("streams", "pause", "yard", "--server", address)[1]
    assert out.endswith(f"yard updated: it broke, {shown}\n")


def test_a_url_can_come_from_the_environment(
    run: Run,
    address: str,
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So no password is among the words of the command, which others on the machine can see."""
    monkeypatch.setenv("CAMERA", URL)
    code, out, _ = run(
        "streams", "add", "porch", "--url-env", "CAMERA", "--server", address, "--json"
    )
    assert code == 0
    assert "hunter2" not in out
    (line,) = (json.loads(one) for one in out.splitlines())
    assert (line["type"], line["name"], line["stream"]["source"]) == (
        "added",
        "porch",
        "rtsp://***@camera.example/main",
    )
    (change,) = service.made
    assert isinstance(change, AddStream)
    assert change.settings.url == URL


def test_pausing_resuming_and_removing(run: Run, address: str, service: FakeService) -> None:
    """Each says what the stream is then."""
    assert "yard updated: paused" in run("streams", "pause", "yard", "--server", address)[1]
    assert "yard updated: live" in run("streams", "resume", "yard", "--server", address)[1]
    assert run("streams", "remove", "yard", "--server", address)[1].endswith("yard removed\n")
    code, out, _ = run("streams", "remove", "front", "--forget", "--json", "--server", address)
    assert (code, json.loads(out)) == (0, {"type": "removed", "name": "front"})
    assert service.made == [
        PauseStream(name="yard"),
        ResumeStream(name="yard"),
        RemoveStream(name="yard"),
        RemoveStream(name="front", forget=True),
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("pause", "porch"), 5, "no stream is called 'porch'; there are: front, yard"),
        (("remove", "porch"), 5, "porch"),
        (("add", "front", "test:"), 2, "front"),
        (("add", "porch"), 2, "either URL or --url-env"),
        (("add", "porch", "test:", "--url-env", "X"), 2, "either URL or --url-env"),
        (("add", "porch", "--url-env", "NOT_SET_ANYWHERE"), 2, "NOT_SET_ANYWHERE is not set"),
        (("add", "porch", ""), 2, "url"),
        (("add", "a/b", "test:"), 2, "letters, digits"),
        (("add", "porch", "test:", "--set", "sped=2"), 2, "did you mean speed?"),
        (("add", "porch", "test:", "--set", "fps=fast"), 2, "fps"),
        (("add", "porch", "test:", "--set", "url=x"), 2, "KEY=VALUE"),
        (("add",), 2, "NAME"),
        (("annihilate", "front"), 2, "invalid choice"),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    words: tuple[str, ...],
    code: int,
    said: str,
    run: Run,
    address: str,
) -> None:
    """2 for usage and settings, 5 for a stream that is not there; nothing on standard output."""
    found, out, err = run("streams", *words, *(("--server", address) if len(words) > 1 else ()))
    assert (found, out) == (code, "")
    assert said in err


def test_no_daemon_is_exit_code_3(run: Run) -> None:
    """And says how to start one."""
    code, _, err = run("streams", "pause", "front", "--server", "127.0.0.1:1")
    assert code == 3
    assert "livevlm serve" in err


def test_watching_tells_what_changes() -> None:
    """First what there is, then each change on a line of its own, out at once, until the daemon ends."""
    with FakeService("front") as service, serving(service, ServerOptions(notice_s=0.01)) as address:
        words = (
            sys.executable,
            "-m",
            "livevlm",
            "streams",
            "--watch",
            "--json",
            "--server",
            address,
        )
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            guard = threading.Timer(60, watching.kill)
            guard.start()
            first = json.loads(watching.stdout.readline())
            service.change(PauseStream(name="front"), lambda _: None)
            second = json.loads(watching.stdout.readline())
            service.change(RemoveStream(name="front"), lambda _: None)
            third = json.loads(watching.stdout.readline())
            guard.cancel()
            watching.terminate()
    assert (first["type"], first["name"], first["state"]) == ("stream", "front", "live")
    assert (second["type"], second["stream"]["state"]) == ("updated", "paused")
    assert third == {"type": "removed", "name": "front"}
