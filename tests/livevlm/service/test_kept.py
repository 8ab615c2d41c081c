"""What the server keeps for its clients: as much as a line that breaks may cost them, and nothing for those who have gone."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections.abc import Callable
from contextlib import closing

import pytest

from livevlm.bench.loadwatch import page
from livevlm.service.connection import Connection
from livevlm.service.link import Socket
from livevlm.service.server import ServerOptions
from tests.livevlm.service.hostile import TEXT, frame, websocket
from tests.livevlm.service.serving import Peer, Running, ask, joined, on_loop, running

LIMIT = 160_000
SMALL = ServerOptions(max_outgoing_bytes=LIMIT)


def gauge(where: Running, name: str) -> float:
    """A gauge of the server's own."""
    found = re.search(rf"^livevlm_{name} (\S+)$", where.metrics.render().decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


async def chat(peer: Peer, turns: int) -> int:
    """Say something and hear the answer, so many times; the number of the last event."""
    seq = 0
    for _ in range(turns):
        await peer.send({"type": "ping"})
        seq = (await peer.until("pong"))[-1]["seq"]
    return seq


async def until(reached: Callable[[], bool]) -> None:
    """Let the server go on until it is so."""
    while not reached():
        await asyncio.sleep(0)


@on_loop
async def test_of_what_a_client_has_got_only_the_newest_is_kept() -> None:
    """A client that reads along costs the same after a day as after a minute."""
    async with running(options=SMALL) as where, joined(where) as peer:
        most = 0.0
        for _ in range(20):
            seq = await chat(peer, 100)
            most = max(most, gauge(where, "ws_kept_bytes"))
        assert seq == 2001
        assert LIMIT / 16 < most < LIMIT / 6


@on_loop
async def test_what_may_not_have_arrived_is_kept() -> None:
    """A client that answers no ping may have missed all of it, although the system has taken it."""
    async with running(options=SMALL) as where:
        raw = await websocket(where)
        with closing(raw.writer):
            await raw.send(frame(TEXT, b'{"type": "ping"}') * 500)
            heard = b""
            while b'"seq":501,' not in heard:
                heard = heard[-100:] + await raw.reader.read(1 << 16)
            assert gauge(where, "ws_kept_bytes") > LIMIT / 4


@pytest.mark.parametrize("resume_s", [0.0, 60.0], ids=["not resumed", "resumed"])
@on_loop
async def test_who_has_gone_leaves_nothing_behind(resume_s: float) -> None:
    """Not until the collector looks for what holds itself, which with so much to look through may take minutes: at once."""
    gc.collect()
    gc.disable()
    try:
        async with running(options=ServerOptions(resume_s=resume_s)) as where:
            before = _sessions()
            for _ in range(5):
                async with joined(where) as peer:
                    await peer.send(ask("what?"))
                    await peer.until("response.done")
                await asyncio.to_thread(_status, where.address)
            await until(lambda: gauge(where, "ws_connections") == 0)
            assert gauge(where, "ws_kept_bytes") == 0
            # The fake service's thread still holds the one that it told last; sockets end a moment after their clients.
            await until(lambda: _sessions() <= before + 1)
    finally:
        gc.enable()


def _status(address: str) -> None:
    assert json.loads(page(address, "/v1/status"))["ready"]


def _sessions() -> int:
    return sum(type(one) in (Connection, Socket) for one in gc.get_objects())
