"""Many cameras that accept and never answer: nothing is held up by them, and nothing is left of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from livevlm.bench.rtsp import RtspServer
from streams.backoff import Backoff
from streams.clip import encode_clip
from streams.mailbox import Mailbox
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.source import SourceOptions
from tests.faults.watch import watching
from tests.streams.pictures import many, until

CAMERAS = 16
OPEN_S = 1.0
HANGING = ReaderOptions(
    backoff=Backoff(first_s=0.01, longest_s=0.01),
    source=SourceOptions(open_timeout_s=OPEN_S),
    reachable=lambda address: True,
)


def threads() -> int:
    """Threads of this process, libav's too."""
    return len(os.listdir("/proc/self/task")) if Path("/proc/self/task").exists() else 0


def test_sixteen_hanging_cameras_end_and_leave_nothing() -> None:
    """Told to stop, all are told at once; their threads and connections are gone when the open timeout is over."""
    before = {thread.name for thread in threading.enumerate()}
    with RtspServer(encode_clip(many(2), 50), silent=True) as server:
        readers = [
            StreamReader(server.url, name=f"hang{number}", mailbox=Mailbox(1), options=HANGING)
            for number in range(CAMERAS)
        ]
        native = threads()
        for reader in readers:
            reader.start()
        # Every one is in its second hanging try at least.
        until(lambda: all(reader.status().error_code == "STREAM_TIMEOUT" for reader in readers))
        assert threads() >= native + CAMERAS * (native > 0)
        for reader in readers:
            reader.stop(0)
        assert all(reader.stop(60) for reader in readers)
        assert {reader.status().state for reader in readers} == {"ended"}
        until(lambda: threads() <= native)
    assert {thread.name for thread in threading.enumerate()} <= before


def test_a_camera_beside_sixteen_hanging_ones_is_read_as_ever() -> None:
    """Opening happens outside the interpreter's lock: frames go on while sixteen threads hang in it."""
    clip = encode_clip(many(60), 50)
    with RtspServer(clip, silent=True) as silent, RtspServer(clip) as server:
        readers = [
            StreamReader(silent.url, name=f"hang{number}", mailbox=Mailbox(1), options=HANGING)
            for number in range(CAMERAS)
        ]
        for reader in readers:
            reader.start()
        with watching(server.url, ReaderOptions(fps=1000)) as watch:
            watch.begin_anew()
            notes = watch.until("frames", lambda notes: notes.frames >= 50)
            assert not notes.wrong
            assert watch.status.reconnects == 0
        for reader in readers:
            reader.stop(0)
        assert all(reader.stop(60) for reader in readers)
