"""The daemon under a supervisor, and changed while it runs: a process of its own, real sockets, real signals."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from livevlm.client import Client, connect
from tests.e2e.test_daemon import GUARD_S, daemon

LIVE = "test:?live=1"


async def until(client: Client, condition: Callable[[dict[str, str]], bool]) -> None:
    """Wait until the streams are as wanted, by their sources; each is seen by then."""
    async with asyncio.timeout(GUARD_S):
        while True:
            streams = (await client.status()).streams
            seen = all(stream.as_of is not None for stream in streams)
            if condition({stream.name: stream.source for stream in streams}) and seen:
                return
            await asyncio.sleep(0.02)


@contextmanager
def supervisor(address: str) -> Iterator[list[str]]:
    """A supervisor's socket; what it is told, the first line of each datagram."""
    told: list[str] = []

    def listen() -> None:
        while (state := sock.recv(100).decode().split("\n")[0]) != "over":
            told.append(state)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield told
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"over", address)
            listener.join(GUARD_S)


def test_a_daemon_under_a_supervisor_takes_in_a_changed_file(tmp_path: Path) -> None:
    """Ready, alive, reloading, stopping, each told; SIGHUP brings streams and takes them, and a connected client stays."""
    file = tmp_path / "my.toml"
    begin = "version = 1\n[ingest]\nfps = 10\n"
    file.write_text(f'{begin}[streams.hall]\nurl = "{LIVE}"\n[streams.yard]\nurl = "{LIVE}"\n')
    with supervisor(str(tmp_path / "notify")) as told:
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"}
        with daemon("-c", str(file), env=env) as process:
            address = process.address()

            async def session() -> None:
                async with connect(address) as client:
                    await until(client, lambda s: set(s) == {"hall", "yard"})
                    file.write_text(f'{begin}[streams.door]\nurl = "gopher://me:hunter2@x"\n')
                    process.process.send_signal(signal.SIGHUP)
                    line = (
                        "the configuration was not reloaded, and nothing was changed: streams.door"
                    )
                    await asyncio.to_thread(process.wait_for_line_with, line)
                    await until(client, lambda s: set(s) == {"hall", "yard"})
                    changed = f'[streams.hall]\nurl = "{LIVE}&seed=3"\n'
                    file.write_text(f'{begin}{changed}[streams.door]\nurl = "{LIVE}"\n')
                    process.process.send_signal(signal.SIGHUP)
                    await until(client, lambda s: s == {"hall": f"{LIVE}&seed=3", "door": LIVE})
                    answer = await client.ask("what?", stream="door")
                    assert answer.failure is None
                    async with asyncio.timeout(GUARD_S):
                        while told.count("READY=1") < 3:
                            await asyncio.sleep(0.02)

            asyncio.run(session())
            process.process.terminate()
            assert process.end() == 0
    states = [state for state in told if state != "WATCHDOG=1"]
    assert states == ["READY=1", *["RELOADING=1", "READY=1"] * 2, "STOPPING=1"]
    assert "WATCHDOG=1" in told
    assert "hunter2" not in "\n".join(process.log)
