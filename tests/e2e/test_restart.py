"""Memory outlives the daemon: stopped or killed, it comes back with what it had seen, and refuses what is not its own."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from livevlm.client import connect
from livevlm.messages import Answer, TimeRange
from tests.e2e.test_daemon import ask, check_then, daemon, seen_to_its_end, video


def settings(path: Path, seconds: int, *more: str) -> tuple[str, ...]:
    """The command line of a daemon that watches that much of a recording and keeps its memory."""
    file = path / "my.toml"
    file.write_text(
        "version = 1\n[ingest]\nfps = 2\n[memory]\nshort_term_frames = 4\n"
        f'[streams.hall]\nurl = "{video(path / f"{seconds}.mp4", seconds)}"\nspeed = "max"\n'
    )
    return "-c", str(file), "--state-dir", str(path / "state"), *more


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_seen_before_the_end_is_remembered_after_it(
    tmp_path: Path, way: signal.Signals
) -> None:
    """Killed or stopped: the next daemon answers about the first one's stream, and its time goes on behind it."""

    async def watched(address: str) -> None:
        async with connect(address) as client:
            await seen_to_its_end(client, "hall")

    async def remembered(address: str) -> None:
        async with connect(address) as client:
            await seen_to_its_end(client, "hall")
            check_then(await ask(client, "what was there?", time=TimeRange(from_s=2.0, to_s=6.0)))
            now = (await ask(client, "what is there now?"))[-1]
            assert isinstance(now, Answer)
            assert now.as_of is not None
            assert now.as_of.stream_s > 29.5 + 3.5
            (stream,) = (await client.status()).streams
            assert stream.memory_from_s == 0.0

    with daemon(*settings(tmp_path, 30)) as process:
        asyncio.run(watched(process.address()))
        process.process.send_signal(way)
        assert process.end() == (-signal.SIGKILL if way == signal.SIGKILL else 0)
    with daemon(*settings(tmp_path, 4)) as process:
        asyncio.run(remembered(process.address()))
        assert any("remembers up to 29.5 s" in line for line in process.log), process.log
        process.process.send_signal(signal.SIGTERM)
        assert process.end() == 0
        assert not any("Traceback" in line for line in process.log)


def test_foreign_memory_and_a_second_daemon_are_refused(tmp_path: Path) -> None:
    """Exit code 2, one clear line, and nothing is changed by having tried."""
    with daemon(*settings(tmp_path, 4)) as process:
        process.address()
        with daemon(*settings(tmp_path, 4)) as second:
            assert second.end() == 2
            assert any("in use by another daemon" in line for line in second.log)
        process.process.send_signal(signal.SIGTERM)
        assert process.end() == 0
    other = ("--set", "memory.retention=topk")
    with daemon(*settings(tmp_path, 4, *other)) as process:
        assert process.end() == 2
        assert any("memory.retention was vsb, is topk" in line for line in process.log)
        assert not any("Traceback" in line for line in process.log)
