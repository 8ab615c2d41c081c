"""`make demo`: start the daemon on the sample through a real source, ask it over its websocket, and check the answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livevlm.client import Client, connect
from livevlm.errors import DeadlineExceeded, LiveVLMError, ServerUnreachable
from livevlm.messages import TIER_NAMES, Answer, Evidence
from livevlm.sample import Sample, SampleQuestion, read_sample

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "demo.toml"
PATIENCE_S = 120.0
POLL_S = 0.05
STRONGEST = 3  # spans of evidence that are shown
READY = "livevlm: ready on "


def main() -> int:
    """Run the demo; 0 only where every answer is right and the daemon stopped as it should."""
    sample = read_sample()
    with tempfile.TemporaryDirectory(prefix="livevlm-demo-") as folder:
        video = Path(folder) / "sample.mp4"
        print(f"Drawing the sample: {sample.duration_s:.0f} s of video.", flush=True)
        sample.record(video)
        print(f"\n$ livevlm serve -c configs/demo.toml --stream demo={video}", flush=True)
        try:
            with daemon_on(video) as process:
                address = process.address()
                wrong = asyncio.run(_ask_all(address, sample))
        except LiveVLMError as error:
            print(f"The demo failed: {error.message}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            return 130
    return _verdict(wrong, len(sample.questions), process.exit_code)


def _verdict(wrong: int, asked: int, exit_code: int | None) -> int:
    if exit_code != 0:
        print(f"\nThe daemon ended with exit code {exit_code}.", file=sys.stderr)
    print(f"\n{asked - wrong} of {asked} answers are right.")
    return 0 if wrong == 0 and exit_code == 0 else 1


class DaemonProcess:
    """`livevlm serve` in a process of its own; what it logs is passed on."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "livevlm", "serve", *words]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._address = ""
        self._ready_or_over = threading.Event()
        self._log = threading.Thread(target=self._pass_on, name="demo-log", daemon=True)
        self._log.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def address(self) -> str:
        """The websocket's address, as soon as the daemon is ready. Raises ServerUnreachable."""
        if not self._ready_or_over.wait(PATIENCE_S) or not self._address:
            raise ServerUnreachable("the daemon did not get ready; its log says why")
        await_ready(self._address)
        return self._address

    def stop(self) -> None:
        """SIGTERM, and force where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.join(5)

    def _pass_on(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            print(f"  | {line}", end="", file=sys.stderr, flush=True)
            if line.startswith(READY):
                self._address = line.removeprefix(READY).strip()
                self._ready_or_over.set()
        self._ready_or_over.set()


@contextmanager
def daemon_on(video: Path) -> Iterator[DaemonProcess]:
    """A daemon with the demo's configuration that watches the video, on a free port."""
    words = ("-c", str(CONFIG), "--listen", "127.0.0.1:0", "--stream", f"demo={video}")
    process = DaemonProcess(*words)
    try:
        yield process
    finally:
        process.stop()


def await_ready(address: str) -> None:
    """Wait until /readyz says yes. Raises DeadlineExceeded."""
    host = address.removeprefix("ws://").split("/")[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        try:
            with opener.open(f"http://{host}/readyz", timeout=5):
                return
        except urllib.error.URLError:  # 503 while it is not ready
            time.sleep(POLL_S)
    raise DeadlineExceeded(f"the daemon at {host} did not get ready")


async def _ask_all(address: str, sample: Sample) -> int:
    """Ask everything when the whole sample was seen; how many answers are wrong."""
    wrong = 0
    async with connect(address) as client:
        await _await_end(client)
        for question in sample.questions:
            answer = await client.ask(question.question)
            wrong += not _print(question, answer)
    return wrong


async def _await_end(client: Client) -> None:
    """Wait until the stream has ended and all of it is in memory."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        stream = (await client.status()).streams[0]
        if stream.state == "failed":
            raise LiveVLMError(stream.error or "the stream failed")
        if stream.state == "ended" and stream.queue_frames == 0:
            return
        await asyncio.sleep(POLL_S)
    raise DeadlineExceeded("the sample was not seen to its end")


def _print(question: SampleQuestion, answer: Answer) -> bool:
    """Show question, answer and evidence; whether the answer is right."""
    right = answer.status == "completed" and question.accepts(answer.text)
    said = answer.text if answer.failure is None else f"no answer: {answer.failure.message}"
    print(f"\nQ ({question.about}): {question.question}")
    print(f"A: {said}" + ("" if right else f"   (expected: {question.answers[0]})"))
    spans = ", ".join(_span(one) for one in answer.evidence[:STRONGEST])
    print(
        f"   seen at {spans or 'nowhere'}; first token after {1000 * answer.timings.ttft_s:.0f} ms"
    )
    return right


def _span(one: Evidence) -> str:
    """A stretch of the stream, as people say it."""
    end = f"-{one.to_s:.0f}" if one.to_s > one.from_s else ""
    return f"{one.from_s:.0f}{end} s ({TIER_NAMES[one.tier]})"


if __name__ == "__main__":
    sys.exit(main())
