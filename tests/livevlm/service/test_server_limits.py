"""Limits on real sockets: who goes beyond them is told or closed, and others do not notice."""

from __future__ import annotations

from contextlib import suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from livevlm.service.limits import Limits
from livevlm.service.server import ServerOptions
from tests.livevlm.service.serving import ask, joined, on_loop, running


async def closing(link: ClientConnection) -> tuple[list[str | bytes], int | None]:
    """What is read until the server closes, and its close code."""
    heard = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(await link.recv())
    return heard, link.close_code


@on_loop
async def test_a_flood_is_refused_then_closed_and_others_are_served() -> None:
    """Errors come first, then the close code 4429; what was asked is cancelled; another client keeps its own allowance."""
    options = ServerOptions(limits=Limits(messages_per_s=0.5))
    async with running(options=options) as where, joined(where) as other:
        async with joined(where) as peer:
            response_id = await peer.ask("hold")
            for _ in range(4):
                await peer.send({"type": "ping", "event_id": "p"})
            heard, code = await closing(peer.socket)
        await other.ask("still there?")
        assert (await other.until("response.done"))[-1]["response"]["status"] == "completed"
        where.service.wait_for(lambda: where.service.cancelled == [response_id])
    assert code == 4429
    assert "rate_limited" in str(heard[-1])


@on_loop
async def test_a_client_that_talks_nonsense_is_closed() -> None:
    """Each is answered with an error, the last one too; then comes 4400."""
    options = ServerOptions(limits=Limits(malformed_per_minute=3))
    async with running(options=options) as where, joined(where) as peer:
        for _ in range(9):
            with suppress(ConnectionClosed):
                await peer.socket.send("{")
        heard, code = await closing(peer.socket)
    assert code == 4400
    assert len(heard) == 4
    assert all("invalid_json" in str(text) for text in heard)


@on_loop
async def test_there_is_room_for_so_many_clients() -> None:
    """The next one is refused with 503 before there is a session; pages are served; who leaves makes room."""
    options = ServerOptions(limits=Limits(clients=2))
    async with running(options=options) as where, joined(where) as first:
        async with joined(where):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(where.url, proxy=None):
                    pass
            assert refused.value.response.status_code == 503
            assert b"as many clients" in (refused.value.response.body or b"")
        await first.send(ask("still there?"))
        await first.until("response.done")
        while True:
            with suppress(InvalidStatus):
                async with joined(where):
                    break
