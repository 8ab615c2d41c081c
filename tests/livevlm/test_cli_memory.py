"""`livevlm memory`: against a running daemon, and on the folder of one that has stopped."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from livevlm.messages import Forget, Search, TimeRange
from livevlm.persistence import StateDir
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import FakeService
from tests.livevlm.test_cli import ROOT, Run, address, clean_environment, run, service, serving
from tests.livevlm.test_transfer import PRINT, remembered

__all__ = ["address", "clean_environment", "run", "service"]


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_stats_show_every_stream(run: Run, address: str) -> None:
    """How far back, how much, and where it lies."""
    code, out, err = run("memory", "stats", "--server", address)
    assert (code, err) == (0, "")
    header, front, yard = out.splitlines()
    assert header.split() == ["STREAM", "REMEMBERS", "TOKENS", "DEVICE", "HOST", "DISK", "PICTURES"]
    assert front.split()[:4] == ["front", "0:02.5", "-", "0:12.5"]
    assert "prompt 24, short 128, long 4096, archive 16384" in front
    assert front.endswith("1.0 MiB  2.0 MiB  3.0 MiB  1024")
    assert yard.startswith("yard ")
    code, out, _ = run("memory", "stats", "-s", "yard", "--json", "--server", address)
    (line,) = map(json.loads, out.splitlines())
    assert (code, line["type"], line["stream"], line["pictures"]) == (0, "memory", "yard", 1024)


def test_search_tells_where_and_what_can_be_looked_at(
    run: Run, service: FakeService, address: str
) -> None:
    """One line a span; the time and the limit reach the daemon."""
    words = ("memory", "search", "a cup", "-s", "front", "--server", address)
    code, out, err = run(*words, "--last", "5m", "--limit", "3")
    assert (code, err) == (0, "")
    (line,) = out.splitlines()
    assert line.startswith("front  0:03.0 - 0:05.0")
    assert line.endswith("long-term  score 0.750  /v1/frames/front/4.jpg")
    assert service.errands == [
        Search(stream="front", text="a cup", time=TimeRange(last_s=300), limit=3)
    ]
    _, out, _ = run(*words, "--json")
    found, span = map(json.loads, out.splitlines())
    assert (found["type"], found["as_of"]["stream_s"]) == ("found", 12.5)
    assert (span["type"], span["score"], span["thumbnail"]) == (
        "span",
        0.75,
        "/v1/frames/front/4.jpg",
    )


@pytest.mark.parametrize(
    ("words", "time"),
    [
        (("--from", "3", "--to", "62.5"), TimeRange(from_s=3, to_s=62.5)),
        (("--last", "1h"), TimeRange(last_s=3600)),
        (("--all",), None),
    ],
)
def test_forget_says_what_is_gone(
    run: Run, service: FakeService, address: str, words: tuple[str, ...], time: TimeRange | None
) -> None:
    """Unasked with --yes; the range is the one that was given."""
    command = ("memory", "forget", "-s", "front", "--yes", *words, "--server", address)
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert out == "front: forgot 60 frames (320 tokens of the device and 960 of the archive)\n"
    assert service.errands == [Forget(stream="front", time=time)]
    _, out, _ = run(*command, "--json")
    assert json.loads(out) == {
        "type": "forgotten",
        "stream": "front",
        "tokens": {"device": 320, "archive": 960},
        "frames": 60,
    }


@pytest.mark.parametrize(
    ("typed", "code"), [("y\n", 0), ("YES\n", 0), ("\n", 1), ("n\n", 1), ("", 1)]
)
def test_on_a_terminal_forget_asks(
    run: Run,
    service: FakeService,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
) -> None:
    """It says what would go; only a yes is a yes."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    found, out, err = run("memory", "forget", "-s", "yard", "--last", "60", "--server", address)
    assert found == code
    assert "Forget --last 60 of yard? It cannot be brought back." in err
    assert bool(out) is (code == 0)
    assert bool(service.errands) is (code == 0)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--yes",),
        ("--all", "--last", "5", "--yes"),
        ("--last", "5", "--from", "3", "--yes"),
        ("--from", "9", "--to", "3", "--yes"),
        ("--all",),
    ],
)
def test_nothing_is_forgotten_by_accident(
    run: Run,
    service: FakeService,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """Without a range, with two, and with nobody there to say yes: exit code 2 and no word to the daemon."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, out, err = run("memory", "forget", "-s", "front", *words, "--server", address)
    assert (code, out, service.errands) == (2, "", [])
    assert err.startswith("livevlm: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("stats", "-s", "nowhere"), 5),
        (("search", "a", "-s", "nowhere"), 5),
        (("search", "full", "-s", "front"), 7),
        (("search", "nothing yet", "-s", "front"), 6),
        (("search", "a"), 2),
        (("search", " ", "-s", "front"), 2),
        (("search", "a", "-s", "front", "--limit", "0"), 2),
        (("forget", "--from", "13", "--yes", "-s", "front"), 6),
        (("forget", "--all", "--yes"), 2),
        (("forget", "--all", "--yes", "-s", "nowhere"), 5),
    ],
)
def test_what_goes_wrong_has_its_exit_code(
    run: Run, address: str, words: tuple[str, ...], code: int
) -> None:
    """Unknown streams, full queues, several streams and none named, a disk that kept what was to go."""
    found, out, err = run("memory", *words, "--server", address)
    assert (found, out) == (code, "")
    assert err.startswith("livevlm: ")


@pytest.mark.parametrize("words", [("stats",), ("search", "a"), ("forget", "--all", "--yes")])
def test_no_daemon_is_exit_code_3_and_a_silent_one_7(
    run: Run, service: FakeService, address: str, words: tuple[str, ...]
) -> None:
    """As with other verbs."""
    assert run("memory", *words, "--server", "127.0.0.1:1")[0] == 3
    held = ("search", "hold", "-s", "front", "--timeout", "0.3")
    assert run("memory", *held, "--server", address)[0] == 7
    service.release()


def test_the_token_opens_the_memory(run: Run, service: FakeService, tmp_path: Path) -> None:
    """And nothing else does."""
    (tmp_path / "token").write_text("s3cret")
    with serving(service, ServerOptions(token="s3cret")) as address:
        words = ("memory", "stats", "--server", address)
        assert run(*words)[0] == 3
        assert run(*words, "--token-file", str(tmp_path / "token"))[0] == 0


def test_a_stopped_daemon_s_memory_is_told_and_moved(run: Run, tmp_path: Path) -> None:
    """stats, export, restore, and the same stats."""
    remembered(tmp_path / "old", "cam", "yard")
    old, new, file = str(tmp_path / "old"), str(tmp_path / "new"), str(tmp_path / "m.tar")
    code, told, err = run("memory", "stats", "--state-dir", old, "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line)["stream"] for line in told.splitlines()] == ["cam", "yard"]
    assert run("memory", "export", "--state-dir", old, file) == (
        0,
        f"exported to {file}: cam, yard\n",
        "",
    )
    code, out, err = run("memory", "restore", "--state-dir", new, file, "--json")
    assert (code, json.loads(out), err) == (
        0,
        {"type": "restored", "streams": ["cam", "yard"], "to": new},
        "",
    )
    assert run("memory", "stats", "--state-dir", new, "--json") == (0, told, "")
    assert "0:00.0 - 0:19.0" in run("memory", "stats", "--state-dir", new)[1]
    assert run("memory", "restore", "--state-dir", new, file)[0] == 2
    assert run("memory", "restore", "--state-dir", new, file, "--force")[0] == 0


def test_a_folder_in_use_is_left_alone(run: Run, tmp_path: Path) -> None:
    """Exit code 2, and the way out."""
    running = StateDir(tmp_path, PRINT)
    code, out, err = run("memory", "stats", "--state-dir", str(tmp_path))
    running.close()
    assert (code, out, "in use" in err) == (2, "", True)
    assert run("memory", "stats", "--state-dir", str(tmp_path)) == (0, run_header(), "")
    assert run("memory", "export", "--state-dir", str(tmp_path), "-s", "no", "x.tar")[0] == 5


def run_header() -> str:
    """What is printed of no stream at all."""
    return "STREAM  REMEMBERS  TOKENS  DEVICE  HOST  DISK  PICTURES\n"


@pytest.mark.parametrize("words", [(), ("stat",), ("export", "x.tar"), ("stats", "--state", "x")])
def test_bad_usage_is_exit_code_2(run: Run, words: tuple[str, ...]) -> None:
    """argparse's complaints; flags cannot be abbreviated."""
    code, out, err = run("memory", *words)
    assert (code, out) == (2, "")
    assert "usage:" in err


def test_asking_a_daemon_does_not_load_the_heavy_libraries() -> None:
    """stats, search and forget start at once."""
    code = (
        "import sys; from livevlm.cli import main; "
        "code = main(['memory', 'stats', '--server', '127.0.0.1:1']); "
        "print(code, {'torch', 'transformers', 'faiss', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout == "3 set()\n"
