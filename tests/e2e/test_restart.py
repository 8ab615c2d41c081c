"""Memory outlives the daemon: stopped or killed, it comes back with what it had seen, and refuses what is not its own."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import av
import pytest

from livevlm.changes import PauseStream
from livevlm.client import connect
from livevlm.messages import Answer, TimeRange
from tests.e2e.test_daemon import ask, check_then, daemon, seen_to_its_end, video
from tests.livevlm.test_watched_once import archived


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


def watching(path: Path, speed: str) -> tuple[str, ...]:
    """The command line of a daemon that watches a minute at that speed and keeps its memory."""
    file = path / "my.toml"
    file.write_text(
        "version = 1\n[ingest]\nfps = 2\n[memory]\nshort_term_frames = 4\n"
        f'[streams.hall]\nurl = "{path / "film.mp4"}"\nspeed = {speed}\n'
    )
    return "-c", str(file), "--state-dir", str(path / "state")


def spoil(path: Path, until_s: float) -> None:
    """Make nonsense of the pictures before a time; nobody can see by size or date that the file has changed."""
    before = path.stat()
    with av.open(str(path)) as container:
        (video_stream,) = container.streams.video
        packets = [(one.pos, one.size, one.pts) for one in container.demux(video_stream)]
        last = until_s / float(video_stream.time_base or 1)
    with path.open("r+b") as file:
        for place, size, pts in packets:
            if pts is not None and place is not None and pts < last:
                file.seek(place)
                file.write(bytes(size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_a_recording_is_watched_once(tmp_path: Path, way: signal.Signals) -> None:
    """Killed or stopped in its middle it goes on there: each frame is remembered once, what was seen is not decoded again,
    and can be asked about; at the next start it has ended, and is not even opened.
    """
    video(tmp_path / "film.mp4", 60)

    async def begin(address: str) -> None:
        async with connect(address) as client:
            while True:
                (stream,) = (await client.status()).streams
                if stream.as_of is not None and stream.as_of.stream_s >= 12.0:
                    break
                await asyncio.sleep(0.02)
            await client.change(PauseStream(name="hall"))
            assert (await client.status()).streams[0].state == "paused"

    async def finish(address: str) -> None:
        async with connect(address) as client:
            await seen_to_its_end(client, "hall")
            (stream,) = (await client.status()).streams
            assert stream.frames_received < 600 - 10 * 12
            assert stream.frames_dropped["corrupt"] == 0
            check_then(await ask(client, "what was there?", time=TimeRange(from_s=2.0, to_s=6.0)))

    async def look(address: str) -> None:
        async with connect(address) as client:
            (stream,) = (await client.status()).streams
            assert (stream.state, stream.frames_received) == ("ended", 0)
            check_then(await ask(client, "what was there?", time=TimeRange(from_s=2.0, to_s=6.0)))

    with daemon(*watching(tmp_path, "5.0")) as process:
        asyncio.run(begin(process.address()))
        process.process.send_signal(way)
        assert process.end() == (-signal.SIGKILL if way == signal.SIGKILL else 0)
    spoil(tmp_path / "film.mp4", 4.0)
    with daemon(*watching(tmp_path, '"max"')) as process:
        asyncio.run(finish(process.address()))
        process.process.send_signal(way)
        process.end()
        assert not any("Traceback" in line for line in process.log)
    assert archived(tmp_path / "state") == [number / 2 for number in range(120)]
    with daemon(*watching(tmp_path, '"max"')) as process:
        asyncio.run(look(process.address()))
        assert any("watched to its end, and is not watched again" in line for line in process.log)


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
