"""The command: data on standard output, the rest on standard error, exit codes that scripts can rely on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from livevlm import __version__
from livevlm.cli import VERBS, main, models, synth
from livevlm.cli.output import clock, size
from livevlm.cli.parsing import stream_flag
from livevlm.metrics import Metrics
from livevlm.models import checkpoint, load_backbone
from livevlm.service.server import Server, ServerOptions
from streams import Recording
from tests.livevlm.service.fake_service import FakeService, stream_status

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own LIVEVLM_ variables take part."""
    for name in [name for name in os.environ if name.startswith("LIVEVLM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives back its exit code, standard output and standard error."""

    def command(*words: str) -> tuple[int, str, str]:
        try:
            code = main(words)
        except SystemExit as stop:  # argparse's way out
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def service() -> Iterator[FakeService]:
    """What the daemon of these tests answers with."""
    with FakeService("front", "yard") as service:
        yield service


@pytest.fixture
def address(service: FakeService) -> Iterator[str]:
    """The address of a real server on a loop of its own."""
    with serving(service, ServerOptions()) as address:
        yield address


class serving:
    """A server in a thread, for commands that bring their own loop."""

    def __init__(self, service: FakeService, options: ServerOptions) -> None:
        self._service = service
        self._options = options
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = Server(
            self._service, host="127.0.0.1", port=0, metrics=Metrics(), options=self._options
        )
        async with server:
            self._port = server.port
            self._up.set()
            await self._stop.wait()

    def __enter__(self) -> str:
        self._thread.start()
        assert self._up.wait(10)
        return f"127.0.0.1:{self._port}"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_help_lists_every_verb(run: Run) -> None:
    """The overview is complete and goes to standard output."""
    code, out, _ = run("--help")
    assert code == 0
    assert all(f"\n  {verb}" in out for verb in VERBS)


def test_every_verb_has_its_module() -> None:
    """The table of verbs names only what there is."""
    for verb in VERBS:
        assert (ROOT / "livevlm" / "cli" / f"{verb}.py").exists(), verb


def test_no_verb_is_a_usage_error(run: Run) -> None:
    """Help for those who asked for none goes to standard error."""
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "usage: livevlm VERB" in err


def test_a_mistyped_verb_is_answered_with_the_nearest(run: Run) -> None:
    """Nobody has to read the help for one wrong letter."""
    code, out, err = run("stauts")
    assert (code, out) == (2, "")
    assert "did you mean status?" in err


@pytest.mark.parametrize(
    "words", [("ask",), ("ask", "a", "--bogus"), ("status", "extra"), ("ask", "a", "--time", "5")]
)
def test_bad_usage_is_exit_code_2(run: Run, words: tuple[str, ...]) -> None:
    """argparse's complaints, on standard error; flags cannot be abbreviated."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "usage:" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "--stram", "a=test:"), "did you mean --stream?"),
        (("ask", "is", "it", "open?"), "want quotes"),
        (("watch", "a", "red", "car"), "want quotes"),
        (("memory", "search", "a", "red", "car"), "want quotes"),
        (("serve", "clip.mp4"), "--stream NAME=URL"),
        (("replay", "clip.mp4", "what is red?"), "asked with --ask"),
        (("doctor", "extra"), "unrecognized arguments: extra\n"),
        (("memory", "forget", "all"), "did you mean --all?"),
        (
            ("serve", "--stream", "a=test:", "--set", "budget_tokens=3"),
            "mean memory.budget_tokens?",
        ),
        (("streams", "add", "a=test:"), "streams add NAME URL"),
        (("status", "--nonsense"), "unrecognized arguments: --nonsense\n"),
    ],
)
def test_bad_usage_names_the_way_out(run: Run, words: tuple[str, ...], said: str) -> None:
    """Who mistypes a flag, forgets quotes or takes one verb's form for another's learns what to write."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_version(run: Run) -> None:
    """The version, and as JSON also of what it runs on."""
    assert run("version") == (0, f"livevlm {__version__}\n", "")
    assert run("--version") == (0, f"livevlm {__version__}\n", "")
    code, out, _ = run("version", "--json")
    found = json.loads(out)
    assert code == 0
    assert {"version", "python", "torch", "transformers", "av", "websockets"} <= set(found)


def test_ask_prints_the_answer_and_where_it_was_seen(run: Run, address: str) -> None:
    """Answer first, then the evidence; nothing on standard error."""
    code, out, err = run("ask", "who came?", "-s", "front", "--server", address)
    assert (code, err) == (0, "")
    answer, seen = out.splitlines()
    assert answer == "You asked: who came?"
    assert "front  0:03.0 - 0:05.0" in seen


def test_ask_quietly_prints_the_answer_alone(run: Run, address: str) -> None:
    """For pipes."""
    assert run("ask", "a?", "-s", "front", "-q", "--server", address) == (0, "You asked: a?\n", "")


def test_ask_as_json_prints_a_line_an_event(run: Run, address: str) -> None:
    """Evidence, the pieces of the answer, and one last line that has it all."""
    code, out, _ = run("ask", "a?", "-s", "front", "--json", "--server", address)
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    first, *pieces, end = events
    assert (first["type"], end["type"]) == ("evidence", "answer")
    assert {piece["type"] for piece in pieces} == {"delta"}
    assert "".join(piece["text"] for piece in pieces) == "You asked: a?"  # some may be joined
    assert (end["text"], end["status"], end["stream"]) == ("You asked: a?", "completed", "front")
    assert end["evidence"][0]["from_s"] == 3.0
    assert end["timings"]["total_ms"] == 70.0
    assert end["error"] is None


@pytest.mark.parametrize(
    ("words", "last_s", "from_s", "to_s", "utc"),
    [
        (("--last", "5m"), 300.0, None, None, False),
        (("--from", "10", "--to", "20.5"), None, 10.0, 20.5, False),
        (("--from", "2026-05-01T10:32:00Z"), None, 1777631520.0, None, True),
    ],
)
def test_ask_sends_the_time_range(
    run: Run,
    service: FakeService,
    address: str,
    words: tuple[str, ...],
    last_s: float | None,
    from_s: float | None,
    to_s: float | None,
    utc: bool,
) -> None:
    """--last, --from and --to reach the daemon."""
    assert run("ask", "a?", "-s", "yard", "--server", address, *words)[0] == 0
    question = service.questions[-1]
    assert question.stream == "yard"
    time = question.time
    assert time is not None
    assert (time.last_s, time.from_s, time.to_s, time.utc) == (last_s, from_s, to_s, utc)


def test_a_time_of_day_is_today_s_local_time(run: Run, service: FakeService, address: str) -> None:
    """People say 10:32, the daemon gets a moment."""
    assert run("ask", "a?", "-s", "yard", "--server", address, "--to", "00:00")[0] == 0
    time = service.questions[-1].time
    assert time is not None
    assert time.utc
    assert time.to_s is not None


@pytest.mark.parametrize(
    "words",
    [
        ("--last", "5m", "--from", "3"),
        ("--last", "soon"),
        ("--from", "20", "--to", "10"),
        ("--from", "yesterday"),
        ("--from", "10:32", "--to", "20"),
    ],
)
def test_contradictory_times_are_usage_errors(run: Run, words: tuple[str, ...]) -> None:
    """Told before anything is sent: no daemon is needed to be refused."""
    code, out, err = run("ask", "a?", "--server", "127.0.0.1:1", *words)
    assert (code, out) == (2, "")
    assert err.startswith("livevlm: ")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("a?", "-s", "nowhere"), 5),
        (("full", "-s", "front"), 7),
        (("nothing yet", "-s", "front"), 6),
        (("fail", "-s", "front"), 1),
        (("   ",), 2),
    ],
)
def test_refusals_and_failures_have_their_exit_codes(
    run: Run, address: str, words: tuple[str, ...], code: int
) -> None:
    """The code says what kind of thing went wrong, one line on standard error says which."""
    found, out, err = run("ask", *words, "--server", address)
    assert (found, out) == (code, "")
    assert err.startswith("livevlm: ")
    assert "Traceback" not in err


def test_the_time_limit_is_exit_code_7_and_frees_the_daemon(
    run: Run, service: FakeService, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that does not keep the deadline itself is not waited for, and is told."""
    monkeypatch.setattr("livevlm.cli.ask.GRACE_S", 0.0)
    code, _, err = run("ask", "hold", "-s", "front", "--timeout", "0.3", "--server", address)
    assert code == 7
    assert "no answer within 0.3 s" in err
    service.wait_for(lambda: bool(service.cancelled))


@pytest.mark.parametrize("verb", [("ask", "a?"), ("status",)])
def test_no_daemon_is_exit_code_3(run: Run, verb: tuple[str, ...]) -> None:
    """And the way out is named."""
    code, out, err = run(*verb, "--server", "127.0.0.1:1")
    assert (code, out) == (3, "")
    assert "livevlm serve" in err
    assert "--server URL" in err


def test_tokens_come_from_a_file_or_the_environment(
    run: Run, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never from the command line, where everybody can read them."""
    (tmp_path / "token").write_text("s3cret\n")
    with serving(service, ServerOptions(token="s3cret")) as address:
        assert run("status", "--server", address)[0] == 3
        assert run("status", "--server", address, "--token-file", str(tmp_path / "token"))[0] == 0
        monkeypatch.setenv("LIVEVLM_TOKEN", "s3cret")
        monkeypatch.setenv("LIVEVLM_SERVER", address)
        assert run("status")[0] == 0
        assert run("status", "--token-file", str(tmp_path / "none"))[0] == 2


def test_status_shows_every_stream(run: Run, address: str) -> None:
    """Names, states, memory; all is well: exit code 0."""
    code, out, err = run("status", "--server", address)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "livevlm 0.0.test, model fake, ready"
    assert lines[1].split()[:2] == ["STREAM", "STATE"]
    assert lines[2].startswith("front   live")
    assert lines[3].startswith("yard    live")
    assert "0:02.5 - 0:12.5" in lines[2]
    assert "90 of 1500  7 " in lines[2], "what was left out on purpose is no loss"


def test_status_as_json_prints_a_line_a_stream(run: Run, address: str) -> None:
    """First the daemon, then its streams."""
    _, out, _ = run("status", "--json", "--server", address)
    daemon, front, yard = (json.loads(line) for line in out.splitlines())
    assert daemon == {"type": "daemon", "version": "0.0.test", "model": "fake", "ready": True}
    assert (front["type"], front["name"], yard["name"]) == ("stream", "front", "yard")
    assert front["memory_tokens"] == {"short": 128, "long": 4096}


def test_status_tells_of_a_stream_that_is_down(
    run: Run, service: FakeService, address: str
) -> None:
    """Exit code 6, and what is wrong with which stream."""
    failed: dict[str, object] = {"state": "reconnecting", "error_code": "STREAM_AUTH"}
    failed |= {"error": "wrong password", "next_try_s": 12.4}
    service.statuses[1] = stream_status("yard", last_frame_utc=None, as_of=None, **failed)
    code, out, _ = run("status", "--server", address)
    assert code == 6
    assert "yard: STREAM_AUTH: wrong password; opened again in 12 s" in out
    assert run("status", "--quiet", "--server", address) == (6, "", "")


def test_config_show_names_origins_and_hides_credentials(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in force, where it comes from, no password; the output is TOML that means the same."""
    file = tmp_path / "my.toml"
    file.write_text("version = 1\n[streams.a]\nurl = 'rtsp://me:hunter2@camera/x'\n")
    monkeypatch.setenv("LIVEVLM_INGEST__FPS", "2")
    code, out, _ = run("config", "show", "-c", str(file), "--origin", "--set", "answer.top_p=0.5")
    assert code == 0
    lines = {line.split(" = ")[0]: line for line in out.splitlines() if " = " in line}
    assert lines["fps"].endswith("# default")  # the stream's
    assert "fps = 2.0                                   # environment LIVEVLM_INGEST__FPS" in out
    assert lines["top_p"].endswith("# --set")
    assert lines["url"].endswith(f"# file {file}")
    assert "hunter2" not in out
    shown = tmp_path / "shown.toml"
    shown.write_text(out)
    assert run("config", "check", str(shown)) == (0, f"{shown}: ok\n", "")


def test_config_show_as_json(run: Run) -> None:
    """A line a setting."""
    code, out, _ = run("config", "show", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {"key": "memory.budget_tokens", "value": 0, "origin": "default"} in lines


def test_config_check_tells_of_every_file(run: Run, tmp_path: Path) -> None:
    """Good ones on standard output, bad ones on standard error with exit code 2."""
    (tmp_path / "good.toml").write_text("version = 1")
    (tmp_path / "bad.toml").write_text("version = 1\n[memroy]\n")
    files = [str(tmp_path / name) for name in ("good.toml", "bad.toml", "none.toml")]
    code, out, err = run("config", "check", *files)
    assert code == 2
    assert out == f"{files[0]}: ok\n"
    assert "did you mean memory?" in err
    assert "none.toml: No such file" in err


def test_config_takes_its_file_with_and_without_the_flag(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other verbs take -c FILE, so these do; a file alone is understood as well, and LIVEVLM_CONFIG."""
    file = tmp_path / "my.toml"
    file.write_text("version = 1\n[answer]\nmax_tokens = 77\n")
    for words in (("-c", str(file)), ("--config", str(file)), (str(file),)):
        assert run("config", "check", *words) == (0, f"{file}: ok\n", "")
        assert "max_tokens = 77" in run("config", "show", *words)[1]
    code, out, err = run("config", "check")
    assert (code, out) == (2, "")
    assert "livevlm config check FILE" in err
    monkeypatch.setenv("LIVEVLM_CONFIG", str(file))
    assert run("config", "check") == (0, f"{file}: ok\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve",), "there is no stream to watch"),
        (("serve", "--stream", "hall=none.mp4"), "streams.hall: none.mp4: there is no such file"),
        (("serve", "--stream", "hall=dir:none"), "streams.hall: dir:none: there is no such folder"),
        (("serve", "--stream", "rtsp://camera/x"), "expected NAME=URL"),
        (
            ("serve", "--stream", "a=test:", "--set", "memory.budget=1"),
            "did you mean budget_tokens?",
        ),
        (("serve", "--stream", "a=test:", "--listen", "0.0.0.0:80"), "token_file"),
        (("serve", "--stream", "a=test:", "--set", "nonsense"), "expected SECTION.KEY=VALUE"),
        (("serve", "-c", "none.toml"), "No such file"),
    ],
)
def test_serve_refuses_what_cannot_be_served(run: Run, words: tuple[str, ...], said: str) -> None:
    """Configuration errors are found before anything heavy is started."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err


def record(path: Path, seconds: int = 2) -> str:
    """A short recording; gives back its path."""
    with Recording(path, (64, 48), 10) as recording:
        for number in range(10 * seconds):
            recording.write(np.full((48, 64, 3), 5 * number, np.uint8))
    return str(path)


def test_probe_tells_what_a_source_is(run: Run, tmp_path: Path) -> None:
    """Size, rate and health, for people and as JSON."""
    video = record(tmp_path / "a.mp4")
    code, out, err = run("probe", video)
    assert (code, err) == (0, "")
    assert "64x48" in out
    assert "verdict:       well" in out
    code, out, _ = run("probe", video, "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["width"], report["height"], report["pictures"]) == (64, 48, 20)
    assert report["healthy"] is True


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("none.mp4", 3, "STREAM_NOT_FOUND"),
        ("rtsp://me:hunter2@127.0.0.1:1/x", 3, "STREAM_CONNECTION_FAILED"),
        ("gopher://x", 2, "STREAM_ADDRESS_UNSUPPORTED"),
        (__file__, 3, "STREAM_CORRUPT"),
    ],
)
def test_probe_says_why_a_source_cannot_be_seen(run: Run, url: str, code: int, said: str) -> None:
    """An unreachable camera is exit code 3, an impossible address 2; passwords are not repeated."""
    found, out, err = run("probe", url)
    assert (found, out) == (code, "")
    assert said in err
    assert "hunter2" not in err


def test_a_stream_flag_may_hold_equals_signs() -> None:
    """Only the first one separates."""
    setting = stream_flag("front=rtsp://h/x?a=b")
    assert (setting.path, setting.value) == (("streams", "front", "url"), "rtsp://h/x?a=b")


@pytest.mark.parametrize("words", [("status", "--jso"), ("config", "show", "--jso")])
def test_flags_are_not_abbreviated(run: Run, words: tuple[str, ...]) -> None:
    """A flag added later cannot change what a script means, nor one of a verb's verb."""
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "did you mean --json?" in err


def test_spans_and_sizes_read_well() -> None:
    """Minutes, hours, bytes."""
    assert [clock(s) for s in (0, 59.96, 61.5, 3725.4)] == ["0:00.0", "1:00.0", "1:01.5", "1:02:05"]
    assert [size(n) for n in (0, 1023, 1536, 3 << 30)] == ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    """`livevlm config docs | head -1` ends quietly."""
    command = f"{sys.executable} -c 'from livevlm.cli import main; raise SystemExit(main())' config docs | head -1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "# Configuration\n"
    assert done.stderr == ""


def test_eval_counts_by_type_and_ends_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The toy model is asked the types that were named, of things that training shows and of those that it does not."""
    words = ["eval", "--model", "toy", "--frames", "1,3", "--recordings", "2"]
    assert main([*words, "--types", "now_is,now_count", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["frames"] == [1, 3]
    for things in ("seen", "unseen"):
        assert set(found[things]) <= {"now_is", "now_count"}
        assert all(right == 0 < asked for right, asked in found[things].values())


def test_eval_names_a_type_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped type ends before anything is filmed, and the types are listed."""
    assert main(["eval", "--model", "toy", "--types", "now_color"]) == 2
    assert "now_colour" in capsys.readouterr().err


def test_models_alone_lists_them_and_how_to_fetch_them(capsys: pytest.CaptureFixture[str]) -> None:
    """The bundled one with its size, the hub's, and a command that fetches one."""
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "bundled" in out
    assert "llava-hf/llava-onevision-qwen2-7b-ov-hf" in out
    assert "hf download" in out


def test_models_synth_writes_a_model_that_loads(run: Run, tmp_path: Path) -> None:
    """Every shape and dtype that the verb offers is one that can be written; a folder in use is left alone."""
    assert models.SHAPES == tuple(checkpoint.SHAPES)
    assert models.DTYPES == tuple(synth.DTYPES)
    out = str(tmp_path / "model")
    wrote = run("models", "synth", "tiny", "--out", out, "--dtype", "float32")
    assert wrote == (0, f"{out}\n", "drawing random weights of the shape tiny\n")  # and no bar
    assert load_backbone(out, threads=1).frame_size == (32, 32)
    code, _, err = run("models", "synth", "tiny", "--out", out)
    assert code == 2
    assert "name a new folder" in err


@pytest.mark.parametrize("flag", ["--frames=1,few", "--frames=0", "--recordings=none"])
def test_eval_says_what_is_no_number(run: Run, flag: str) -> None:
    """In words, not by the name of a function."""
    code, out, err = run("eval", "--model", "toy", flag)
    assert (code, out) == (2, "")
    assert "is no whole number from 1 on" in err
