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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from livevlm.client import Client, connect
from livevlm.errors import ServerUnreachable
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

    def wait_for_line_with(self, text: str, times: int = 1) -> None:
        """Until so many lines of the log have this in them."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: sum(text in line for line in self.log) >= times, GUARD_S
            )
        assert found, self.log

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


async def seen_to_its_end(client: Client, name: str) -> None:
    """Wait until a recording has ended and all of it is remembered, also what the model had just taken."""
    until = time.monotonic() + GUARD_S
    while True:
        stream = next(s for s in (await client.status()).streams if s.name == name)
        if stream.state == "ended" and stream.queue_frames == stream.frames_waiting == 0:
            return
        assert time.monotonic() < until, stream
        await asyncio.sleep(0.02)


async def ask(client: Client, text: str, time: TimeRange | None = None) -> list[AnswerEvent]:
    """All events of one answer."""
    return [event async for event in client.ask(text, stream="hall", time=time)]


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
            async with connect(address, reconnect=False) as client:
                await seen_to_its_end(client, "hall")
                events = await ask(client, "what is there now?")
                check_now(events)
                then = await ask(client, "what was there?", time=TimeRange(from_s=2.0, to_s=6.0))
                check_then(then)
                again = await ask(client, "what is there now?")
                assert [e.text for e in again if isinstance(e, Answer)] == [
                    e.text for e in events if isinstance(e, Answer)
                ]
                await client.subscribe("stream")
                process.process.send_signal(signal.SIGTERM)
                with pytest.raises(ServerUnreachable, match="1001"):
                    async for _ in client.changes():
                        pass

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


def livevlm(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command as people type it."""
    return subprocess.run(
        [sys.executable, "-m", "livevlm", *words],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )


async def first_frame(address: str, token: str) -> None:
    """Wait until the hall has shown something."""
    async with connect(address, token=token) as client:
        until = time.monotonic() + GUARD_S
        while all(s.as_of is None for s in (await client.status()).streams):
            assert time.monotonic() < until
            await asyncio.sleep(0.02)


def test_commands_tokens_passwords_and_a_second_daemon(tmp_path: Path) -> None:
    """`ask` and `status` with a token; no secret in any output; a second daemon on the port is refused; SIGINT stops gently."""
    file, token, password = tmp_path / "token", "s3cret-token", "hunter2"
    file.write_text(token + "\n")
    words = ("--set", f"server.token_file={file}", "--set", "streams.yard.url_env=CAMERA", "-v")
    camera = {"CAMERA": f"rtsp://me:{password}@127.0.0.1:1/x"}
    with daemon("--stream", "hall=test:?live=1", *words, env=camera) as process:
        address = process.address()
        asyncio.run(first_frame(address, token))
        env = {"LIVEVLM_SERVER": address, "LIVEVLM_TOKEN_FILE": str(file)}
        asked = livevlm("ask", "what is there?", "-s", "hall", "--json", **env)
        assert asked.returncode == 0, asked.stderr
        events = [json.loads(line) for line in asked.stdout.splitlines()]
        assert (events[0]["type"], events[-1]["type"]) == ("evidence", "answer")
        process.wait_for_line_with("connection refused")
        status = livevlm("status", **env)
        assert (status.returncode, status.stderr) == (6, "")
        assert "yard: STREAM_CONNECTION_FAILED: rtsp://***@127.0.0.1:1/x" in status.stdout
        assert livevlm("ask", "what?", "-s", "nowhere", **env).returncode == 5
        assert livevlm("status", LIVEVLM_SERVER=address).returncode == 3
        host = address.removeprefix("ws://").split("/")[0]
        second = livevlm("serve", "--model", "toy", "--stream", "a=test:", "--listen", host)
        assert (second.returncode, second.stdout) == (3, "")
        assert f"cannot listen on {host}: it is in use" in second.stderr
        process.process.send_signal(signal.SIGINT)
        assert process.end() == 0
        log = "\n".join(process.log)
        assert token not in log
        assert password not in log + status.stdout


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
