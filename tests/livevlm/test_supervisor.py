"""What the supervisor is told, over a real socket."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from livevlm.supervisor import Supervisor


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A supervisor's socket; @ in front of an abstract one's name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(60)
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        yield sock


@pytest.mark.parametrize("abstract", [False, True])
def test_states_are_told_one_datagram_each(abstract: bool, tmp_path: Path) -> None:
    """In systemd's own words, to a socket in a folder or to an abstract one."""
    address = f"@livevlm-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with listening(address) as sock:
        supervisor = Supervisor({"NOTIFY_SOCKET": address})
        supervisor.ready()
        supervisor.reloading()
        supervisor.stopping()
        assert sock.recv(100) == b"READY=1"
        state, moment = sock.recv(100).split(b"\n")
        assert state == b"RELOADING=1"
        assert int(moment.removeprefix(b"MONOTONIC_USEC=")) > 0
        assert sock.recv(100) == b"STOPPING=1"


def test_nobody_is_told_where_there_is_no_supervisor(caplog: pytest.LogCaptureFixture) -> None:
    """Started by hand, nothing is tried, and nothing is logged."""
    with caplog.at_level(logging.DEBUG, logger="livevlm"):
        Supervisor({}).ready()
        asyncio.run(Supervisor({"WATCHDOG_USEC": "1000"}).watch(lambda: True))
    assert not [record for record in caplog.records if record.name.startswith("livevlm")]


def test_a_supervisor_that_is_gone_stops_nothing(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The daemon goes on; the log tells."""
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "none")}).ready()
    Supervisor({"NOTIFY_SOCKET": "/" + "long" * 100}).ready()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.parametrize(
    ("environ", "beat_s"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),  # meant for our parent
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_signs_of_life_come_twice_in_the_time_given(
    environ: dict[str, str], beat_s: float | None
) -> None:
    """Often enough that one may be late; none where nobody waits for them."""
    assert Supervisor({"NOTIFY_SOCKET": "@x", **environ}).beat_s == beat_s


def test_no_sign_of_life_while_the_model_is_dead(tmp_path: Path) -> None:
    """A daemon that cannot answer is to be started anew."""
    address = str(tmp_path / "notify")
    states = iter([True, False, True])

    async def watch(supervisor: Supervisor) -> None:
        await supervisor.watch(lambda: next(states))

    with listening(address) as sock:
        supervisor = Supervisor({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"})
        with pytest.raises(RuntimeError):  # the states are at their end
            asyncio.run(watch(supervisor))
        sock.setblocking(False)
        assert [sock.recv(100), sock.recv(100)] == [b"WATCHDOG=1"] * 2
        with pytest.raises(BlockingIOError):
            sock.recv(100)
