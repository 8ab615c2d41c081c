# ruff: noqa: F811  # fixtures of another module
"""`livevlm watch` against a real server: what it makes, prints, runs and leaves behind."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm.watching.orders import DropWatch, ListWatches, MakeWatch
from livevlm.watching.watch import Rule, WatchRequest, Webhook
from tests.livevlm.service.fake_service import FakeService
from tests.livevlm.test_cli import (  # noqa: F401  # fixtures
    ROOT,
    Run,
    address,
    clean_environment,
    run,
    service,
)


def left(watch: str, address: str) -> str:
    """What is said of a watch that outlives its command."""
    end = f"livevlm watch delete {watch} --server {address}"
    return f"watch_1 goes on with the daemon; to end it: {end}\n"


def kinds(service: FakeService) -> list[type]:
    """What was asked of the watches."""
    return [type(order) for order in service.watches.orders]


def test_it_tells_what_the_watch_finds_until_it_is_over(
    run: Run,
    address: str,
    service: FakeService,
) -> None:
    """Each change is a line; the watch that was followed here is not left behind."""
    service.watches.script = ("triggered", "cleared", "expired")
    code, out, err = run("watch", "a red car", "-s", "front", "--server", address)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["triggered", "cleared", "expired"]
    assert "front  0:12.5" in out
    assert "yes 0.88  a red car" in out
    assert err == "watch_1 watches front\n"
    assert kinds(service) == [MakeWatch, DropWatch]


def test_the_flags_make_the_watch(run: Run, address: str, service: FakeService) -> None:
    """Every one of them; with --detach the command returns at once, and the watch stays."""
    flags = "--once --cooldown 0 --confirm 3 --threshold 0.75 --for 8h --name car --detach"
    hook = ("--webhook", "https://hooks.test/x", "--webhook-secret-env", "LIVEVLM_WEBHOOK_KEY")
    code, out, err = run(
        "watch", "a red car", "-s", "yard", *flags.split(), *hook, "--server", address
    )
    assert (code, out) == (0, "")
    assert err == f"watch_1 watches yard\n{left('car', address)}"
    assert service.watches.orders == [
        MakeWatch(
            WatchRequest(
                stream="yard",
                condition="a red car",
                name="car",
                rule=Rule(mode="once", cooldown_s=0.0, confirm_n=3, threshold=0.75),
                lasts_s=28_800.0,
                webhook=Webhook(url=hook[1], secret_env=hook[3]),
            )
        )
    ]


def test_json_is_what_the_protocol_says(run: Run, address: str, service: FakeService) -> None:
    """One line an event, for scripts; --once ends it."""
    service.watches.script = ("triggered",)
    code, out, _ = run("watch", "a?", "-s", "front", "--once", "--json", "--server", address)
    made, told = map(json.loads, out.splitlines())
    assert code == 0
    assert (made["type"], made["watch"]["state"]) == ("watch.created", "armed")
    assert (told["type"], told["at"]["stream_s"], told["probability"]) == (
        "watch.triggered",
        12.5,
        0.875,
    )
    assert told["thumbnail"] == "/v1/frames/front/4.jpg"


def test_a_command_is_run_with_the_event(
    run: Run, address: str, service: FakeService, tmp_path: Path
) -> None:
    """It gets the event as JSON and the names as variables; no shell takes its words apart."""
    service.watches.script = ("triggered",)
    told = tmp_path / "told"
    script = (
        "import json, os, sys; e = json.load(sys.stdin); "
        "print(e['type'], os.environ['LIVEVLM_STREAM'], sys.argv[1], file=open(sys.argv[2], 'w'))"
    )
    command = shlex.join([sys.executable, "-c", script, "$HOME; x", str(told)])
    words = ("watch", "a?", "-s", "front", "--once", "--exec", command, "--server", address)
    assert run(*words)[0] == 0
    assert told.read_text() == "watch.triggered front $HOME; x\n"


@pytest.mark.parametrize("command", ["false", "/not/there"])
def test_a_command_that_fails_is_told(
    run: Run,
    address: str,
    service: FakeService,
    command: str,
) -> None:
    """By the exit code, and in words."""
    service.watches.script = ("triggered",)
    words = ("watch", "a?", "-s", "front", "--once", "--exec", command, "--server", address)
    code, _, err = run(*words)
    assert code == 6
    assert f"livevlm: {command}" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_stopped_leaves_a_webhook_s_watch_and_says_so(
    address: str, service: FakeService, number: int
) -> None:
    """Somebody else hears of it; who stops the command learns that it goes on, and how to end it."""
    words = ("watch", "a?", "-s", "front", "--webhook", "https://hooks.test/x", "--server", address)
    process = subprocess.Popen(
        [sys.executable, "-m", "livevlm", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "watch_1 watches front\n"
    process.send_signal(number)
    assert process.wait(100) == 128 + number
    assert process.stderr.read() == left("watch_1", address)
    process.stderr.close()
    assert kinds(service) == [MakeWatch]


def test_the_daemon_that_is_meant_anyway_is_not_repeated(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that ends a watch is as short as it may be, and names with spaces are quoted."""
    monkeypatch.setenv("LIVEVLM_SERVER", address)
    _, _, err = run("watch", "a cat", "-s", "yard", "--detach", "--name", "the cat")
    assert err.endswith("to end it: livevlm watch delete 'the cat'\n")


def test_being_stopped_leaves_no_watch_behind(address: str, service: FakeService) -> None:
    """Whoever stops listening here has nobody listen."""
    words = ("watch", "a?", "-s", "front", "--server", address)
    process = subprocess.Popen(
        [sys.executable, "-m", "livevlm", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "watch_1 watches front\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(100) == 143
    assert process.stderr.read() == ""
    process.stderr.close()
    assert kinds(service) == [MakeWatch, DropWatch]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("watch", " "), "condition: "),
        (("watch", "a?", "--threshold", "2"), "threshold: "),
        (("watch", "a?", "--webhook", "ftp://x"), "url: must be http"),
        (("watch", "a?", "--webhook-secret-env", "LIVEVLM_WEBHOOK_A"), "url: give"),
        (("watch", "a?", "--webhook", "http://x", "--webhook-secret-env", "A"), "secret_env: "),
        (("watch", "a?", "--exec", "'"), "--exec: "),
        (("watch", "a?", "--exec", " "), "--exec: "),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    run: Run,
    words: tuple[str, ...],
    message: str,
) -> None:
    """Without a daemon; usage errors are 2."""
    code, _, err = run(*words)
    assert code == 2
    assert message in err


def test_watches_are_listed_and_deleted(run: Run, address: str, service: FakeService) -> None:
    """By their names too; an unknown one is 5. Where there are none, that is said, and no table drawn."""
    server = ("--server", address)
    code, out, err = run("watch", "list", *server)
    assert (code, out) == (0, "")
    assert "there are no watches" in err
    run("watch", "a red car", "-s", "front", "--name", "car", "--detach", *server)
    run("watch", "a cat", "-s", "yard", "--detach", *server)
    code, out, _ = run("watch", "list", *server)
    assert code == 0
    header, first, second = (line.split() for line in out.splitlines())
    assert (header[0], first[:3], second[:3]) == (
        "WATCH",
        ["car", "front", "armed"],
        ["watch_2", "yard", "armed"],
    )
    listed = run("watch", "list", "--json", *server)[1]
    assert [json.loads(line)["condition"] for line in listed.splitlines()] == ["a red car", "a cat"]
    assert run("watch", "delete", "car", "watch_2", *server)[:2] == (
        0,
        "watch_1 is deleted\nwatch_2 is deleted\n",
    )
    code, _, err = run("watch", "delete", "car", *server)
    assert code == 5
    assert "there is no watch 'car'; there are: none" in err
    assert kinds(service)[-1] is DropWatch
    assert ListWatches in kinds(service)
