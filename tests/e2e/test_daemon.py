"""The daemon as people run it: `livevlm serve` in a process of its own, real sources, a real client, signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from livevlm.client import Client, connect
from livevlm.messages import Answer, AnswerChunk, AnswerEvent, Recalled, TimeRange
from streams import Recording

ROOT = Path(__file__).resolve().parents[2]
GUARD_S = 90.0
READY = "livevlm: ready on "


class Process:
    """A command of ours; what it writes on standard error is kept."""

    def __init__(self, *words: str, env: dict[str, str] | None = None) -> None:
        self.log: list[str] = []
        self._changed = threading.Condition()
        own = {name: value for name, value in os.environ.items() if not name.startswith("LIVEVLM_")}
        self.process = subprocess.Popen(
            [sys.executable, "run_daemon.py", *words],
            cwd=ROOT,
            env={**own, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.log.append("")
            self._changed.notify_all()

    def wait_for_line(self, start: str) -> str:
        """The first line of the log that begins so."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: self._line(start) or self.log[-1:] == [""], GUARD_S
            )
        assert found, self.log
        line = self._line(start)
        assert line is not None, self.log
        return line

    def _line(self, start: str) -> str | None:
        return next((line for line in self.log if line.startswith(start)), None)

    def address(self) -> str:
        """Where the daemon listens, as soon as it is ready."""
        return self.wait_for_line(READY).removeprefix(READY)

    def end(self) -> int:
        """The exit code, when it has ended; standard error is complete then."""
        code = self.process.wait(GUARD_S)
        self._reader.join(GUARD_S)
        assert self.process.stdout is not None
        self.out = self.process.stdout.read()
        self.process.stdout.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def daemon(*words: str, env: dict[str, str] | None = None) -> Iterator[Process]:
    """`run_daemon.py` with the toy model on a free port; killed in the end if it is still there."""
    base = ("--model", "toy", "--set", "model.threads=1", "--set", "answer.max_tokens=6")
    process = Process(*base, "--listen", "127.0.0.1:0", *words, env=env)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.end()


def video(path: Path, seconds: int) -> str:
    """A recording; gives back its path."""
    with Recording(path, (64, 64), 10) as recording:
        for number in range(10 * seconds):
            recording.write(np.full((64, 64, 3), 3 * number % 256, np.uint8))
    return str(path)


async def wait_for(client: Client, condition: Callable[[dict[str, str]], bool]) -> None:
    """Wait until the streams' states are as wanted."""
    until = time.monotonic() + GUARD_S
    while True:
        streams = (await client.status()).streams
        if condition({stream.name: stream.state for stream in streams}):
            return
        assert time.monotonic() < until, streams
        await asyncio.sleep(0.02)


async def ask(client: Client, text: str, **about: TimeRange) -> list[AnswerEvent]:
    """All events of one answer."""
    reply = await client.ask(text, stream="hall", **about)
    return [event async for event in reply]


def get(address: str, path: str) -> str:
    """A page of the daemon's port."""
    host = address.removeprefix("ws://").split("/")[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{host}{path}", timeout=GUARD_S) as response:
        text: str = response.read().decode()
        return text


def test_a_life_of_the_daemon(tmp_path: Path) -> None:
    """A recording and a live pattern watched, questions about now and then answered, SIGTERM: exit code 0, client told."""
    file = tmp_path / "my.toml"
    file.write_text(
        f"version = 1\n[ingest]\nfps = 2\n[memory]\nshort_term_frames = 4\n"
        f'[streams.hall]\nurl = "{video(tmp_path / "a.mp4", 30)}"\nspeed = "max"\n'
    )
    with daemon("-c", str(file), "--stream", "pattern=test:?live=1") as process:
        address = process.address()

        async def session() -> None:
            async with connect(address) as client:
                await wait_for(client, lambda states: states["hall"] == "ended")
                events = await ask(client, "what is there now?")
                check_now(events)
                then = await ask(client, "what was there?", time=TimeRange(from_s=2.0, to_s=6.0))
                check_then(then)
                again = await ask(client, "what is there now?")
                assert [e.text for e in again if isinstance(e, Answer)] == [
                    e.text for e in events if isinstance(e, Answer)
                ]
                process.process.send_signal(signal.SIGTERM)
                await client._socket.wait_closed()
                assert client._socket.close_code == 1001

        assert json.loads(get(address, "/readyz"))["ready"] is True
        assert 'livevlm_stream_state{state="live",stream="pattern"}' in get(address, "/metrics")
        asyncio.run(session())
        assert process.end() == 0
        assert process.out == ""
        assert not any("Traceback" in line for line in process.log)


def check_now(events: list[AnswerEvent]) -> None:
    """Evidence first, then text, then one end; as of the last frame."""
    recalled, *chunks, answer = events
    assert isinstance(recalled, Recalled)
    assert isinstance(answer, Answer)
    assert all(isinstance(chunk, AnswerChunk) for chunk in chunks)
    assert answer.status in ("completed", "incomplete")
    assert answer.as_of is not None
    assert answer.as_of.stream_s == pytest.approx(29.5, abs=0.05)
    assert answer.evidence
    assert all(0 <= span.from_s <= span.to_s <= 29.5 for span in answer.evidence)


def check_then(events: list[AnswerEvent]) -> None:
    """A question about a time is answered from that time alone."""
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.status in ("completed", "incomplete"), answer.failure
    assert answer.evidence
    assert all(2.0 <= span.from_s <= span.to_s <= 6.0 for span in answer.evidence)


def test_the_command_line_talks_to_a_running_daemon(tmp_path: Path) -> None:
    """`livevlm ask` and `livevlm status`, as people type them, with the daemon's address from the environment."""
    with daemon("--stream", "hall=test:?live=1") as process:
        address = process.address()
        env = {**os.environ, "LIVEVLM_SERVER": address}

        def livevlm(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "livevlm", *words]
            return subprocess.run(
                command,
                cwd=ROOT,
                env=env,
                capture_output=True,
                text=True,
                timeout=GUARD_S,
                check=False,
            )

        asyncio.run(first_frame(address))
        asked = livevlm("ask", "what is there?", "--json")
        assert asked.returncode == 0, asked.stderr
        events = [json.loads(line) for line in asked.stdout.splitlines()]
        assert (events[0]["type"], events[-1]["type"]) == ("evidence", "answer")
        status = livevlm("status")
        assert (status.returncode, status.stderr) == (0, "")
        assert "hall" in status.stdout
        assert livevlm("ask", "what?", "-s", "nowhere").returncode == 5
        process.process.send_signal(signal.SIGINT)
        assert process.end() == 0


async def first_frame(address: str) -> None:
    """Wait until the stream has shown something."""
    async with connect(address) as client:
        until = time.monotonic() + GUARD_S
        while (await client.status()).streams[0].as_of is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)


def test_a_token_keeps_others_out(tmp_path: Path) -> None:
    """Named in the configuration by its file; the token itself appears nowhere."""
    (tmp_path / "token").write_text("s3cret-token\n")
    words = ("--stream", "hall=test:?live=1", "--set", f"server.token_file={tmp_path / 'token'}")
    with daemon(*words) as process:
        address = process.address()

        async def session() -> None:
            async with connect(address, token="s3cret-token") as client:
                assert client.streams == ["hall"]

        asyncio.run(session())
        process.process.terminate()
        assert process.end() == 0
        assert "s3cret-token" not in "\n".join(process.log)


def test_passwords_never_reach_the_log() -> None:
    """Not from the environment, not from libav, not at any level."""
    words = ("-v", "--set", "streams.hall.url_env=CAMERA")
    with daemon(*words, env={"CAMERA": "rtsp://me:hunter2@127.0.0.1:1/x"}) as process:
        process.address()
        process.process.terminate()
        assert process.end() == 0
        log = "\n".join(process.log)
        assert "rtsp://***@127.0.0.1:1/x" in log
        assert "hunter2" not in log


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--stream", "a=test:", "--model", "/nowhere/model"), 4, "/nowhere/model"),
        (("--stream", "a=test:", "--set", "memory.budget=1"), 2, "budget_tokens"),
        (("--stream", "a=gopher://x"), 2, "streams.a"),
        ((), 2, "--stream NAME=URL"),
    ],
)
def test_what_cannot_start_says_why(words: tuple[str, ...], code: int, said: str) -> None:
    """One line, no traceback, the exit code of its kind."""
    with daemon(*words) as process:
        assert process.end() == code
        assert said in "\n".join(process.log)
        assert not any("Traceback" in line for line in process.log)


def test_a_port_in_use_is_exit_code_3() -> None:
    """The second daemon names the address and the way out."""
    with daemon("--stream", "hall=test:?live=1") as first:
        host = first.address().removeprefix("ws://").split("/")[0]
        with daemon("--stream", "hall=test:", "--listen", host) as second:
            assert second.end() == 3
            assert any(host in line and "--listen" in line for line in second.log)
        first.process.terminate()
        assert first.end() == 0
