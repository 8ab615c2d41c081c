"""Lost connections: made anew, sessions resumed; nothing is asked twice, and nobody waits for what will not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from livevlm.client import Client, NotAdmitted, Retry, connect
from livevlm.errors import ServerUnreachable, StreamNotFound, WatchNotFound
from livevlm.messages import Answer, AnswerChunk, Recalled
from livevlm.service.server import ServerOptions
from tests.livevlm.client.proxy import Proxy, proxied
from tests.livevlm.service.serving import Running, on_loop, running

FORGETFUL = ServerOptions(resume_s=0)


class Naps:
    """Waits of no time that are remembered, and a clock that they move on."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.now_s = 0.0

    async def sleep(self, seconds: float) -> None:
        """Give way once."""
        self.taken.append(seconds)
        self.now_s += seconds
        await asyncio.sleep(0.001)  # others need the loop, and the processor

    def retry(self, **settings: float) -> Retry:
        """A Retry that waits like this, and always as long as it may."""
        return Retry(sleep=self.sleep, random=lambda: 1.0, clock=lambda: self.now_s, **settings)


@asynccontextmanager
async def cuttable(
    *streams: str, options: ServerOptions | None = None, retry: Retry | None = None
) -> AsyncIterator[tuple[Client, Proxy, Running]]:
    """A client whose connection can be cut."""
    async with (
        running(*streams, options=options) as where,
        proxied(where.server.port) as (proxy, address),
        connect(address, reconnect=retry or Naps().retry()) as client,
    ):
        yield client, proxy, where


async def back(client: Client) -> None:
    """Wait until the client has a session again."""
    while True:
        try:
            return await client.ping()
        except ServerUnreachable:
            await asyncio.sleep(0.01)


@on_loop
async def test_whoever_waits_for_an_answer_does_not_notice() -> None:
    """Cut in the middle of it, twice: every piece comes once, and the question was asked once."""
    async with cuttable() as (client, proxy, where):
        reply = client.ask("hold")
        recalled, first = await anext(reply), await anext(reply)
        proxy.cut()
        await client.ping()
        proxy.cut()
        where.service.release()
        *chunks, answer = [event async for event in reply]
        assert await reply == answer
        assert (proxy.connections, len(where.service.questions)) == (3, 1)
    assert isinstance(recalled, Recalled)
    pieces = [event.text for event in (first, *chunks) if isinstance(event, AnswerChunk)]
    assert "".join(pieces) == "You asked: hold"
    assert isinstance(answer, Answer)
    assert (answer.text, answer.status) == ("You asked: hold", "completed")


@on_loop
async def test_what_had_not_arrived_is_sent_again() -> None:
    """Once: neither lost nor done twice."""
    async with cuttable() as (client, proxy, where):
        await client.ping()
        proxy.close_gate()
        reply = client.ask("what is it?")
        adding = asyncio.create_task(client.add_stream("yard", "test:"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # both are written to the socket, as far as the client knows
        proxy.cut()
        proxy.open_gate()
        assert (await reply).text == "You asked: what is it?"
        assert (await adding).name == "yard"
        assert (len(where.service.questions), len(where.service.made)) == (1, 1)


@pytest.mark.parametrize("cut_after", [*range(150, 4000, 350)])
@on_loop
async def test_a_cut_at_any_byte_is_healed(cut_after: int) -> None:
    """Also one in the greeting, in the wish to resume or right behind: the answer is whole, and was asked for once."""
    async with cuttable() as (client, proxy, where):
        proxy.cut_after = cut_after
        proxy.cut()
        replies = [client.ask(f"many {number}") for number in (3, 4)]
        added = await client.add_stream("yard", "test:")
        texts = [(await reply).text for reply in replies]
        assert texts == ["0 1 2 ", "0 1 2 3 "]
        assert [question.text for question in where.service.questions] == ["many 3", "many 4"]
        assert (added.name, len(where.service.made)) == ("yard", 1)


@on_loop
async def test_a_session_that_is_gone_takes_its_answers_with_it() -> None:
    """Whoever waits is told that the answer is lost; then the client goes on as before."""
    async with cuttable(options=FORGETFUL) as (client, proxy, _):
        reply = client.ask("hold")
        await anext(reply)
        proxy.cut()
        with pytest.raises(ServerUnreachable, match="was lost"):
            await reply
        assert (await client.ask("and now?")).text == "You asked: and now?"


@on_loop
async def test_a_fresh_session_is_resumed_like_the_first() -> None:
    """It has read the wish that it could not grant: that is none of the messages which a later cut may have lost."""
    async with cuttable() as (client, proxy, _), running() as other:
        proxy.target = ("127.0.0.1", other.server.port)
        proxy.cut()
        await back(client)
        proxy.close_gate()
        reply = client.ask("what is it?")
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # it is written to the socket, as far as the client knows
        proxy.cut()
        proxy.open_gate()
        assert (await reply).text == "You asked: what is it?"
        assert len(other.service.questions) == 1


@on_loop
async def test_another_daemon_does_not_know_the_session() -> None:
    """A daemon that was started anew: the answer is lost, questions not yet sent go to the new one, subscriptions go on."""
    async with cuttable("front") as (client, proxy, _), running("back") as other:
        await client.subscribe("stream")
        reply = client.ask("hold")
        await anext(reply)
        proxy.target = ("127.0.0.1", other.server.port)
        proxy.cut()
        with pytest.raises(ServerUnreachable, match=r"lost; ask again"):
            await reply
        assert (await client.ask("who?")).stream == "back"
        assert client.streams == ["back"]
        await client.add_stream("yard", "test:")
        changed = await anext(client.changes())
        assert (changed.what, changed.name) == ("added", "yard")
        with pytest.raises(StreamNotFound):
            await client.ask("what?", stream="front")


@on_loop
async def test_a_watch_is_heard_across_connections() -> None:
    """Resumed or not; what was missed in a session that is gone, and ended the watch, is told all the same."""
    for options in (ServerOptions(), FORGETFUL):
        async with cuttable(options=options) as (client, proxy, where):
            watches = where.service.watches
            often, once = client.watch("a star"), client.watch("a circle", once=True)
            await often, await once
            for change in ("triggered", "cleared"):
                await asyncio.to_thread(watches.tell, change, 0)
                assert (await anext(often)).change == change
                proxy.cut()
                await back(client)
            await client.subscribe("stream")  # which must not end what is heard of watches
            await asyncio.to_thread(watches.tell, "triggered", 1)
            assert [event.change async for event in once] == ["triggered"]


@on_loop
async def test_a_watch_that_the_daemon_has_lost_ends() -> None:
    """A daemon without a state directory was started anew: whoever listens learns that nobody looks any more."""
    async with cuttable() as (client, proxy, _), running() as other:
        watching = client.watch("a star")
        await watching
        proxy.target = ("127.0.0.1", other.server.port)
        proxy.cut()
        with pytest.raises(WatchNotFound, match="watch_1"):
            await anext(watching)


@on_loop
async def test_nobody_waits_for_ever() -> None:
    """After the patience all who wait are told, and whoever asks then, at once; when the daemon is back, the client works."""
    naps = Naps()
    retry = naps.retry(patience_s=30.0)
    async with cuttable(retry=retry) as (client, proxy, where):
        await client.subscribe("stream")
        reply = client.ask("hold")
        await anext(reply)
        proxy.target = None
        proxy.cut()
        asked = client.ask("and this?")
        with pytest.raises(ServerUnreachable):
            await asked
        with pytest.raises(ServerUnreachable):
            await reply
        assert naps.now_s >= 30
        tries = proxy.connections
        with pytest.raises(ServerUnreachable):
            await client.ping()
        proxy.target = ("127.0.0.1", where.server.port)
        where.service.release()
        await back(client)
        assert proxy.connections > tries
        await client.add_stream("yard", "test:")
        assert (await anext(client.changes())).name == "yard"
    waits = naps.taken[:8]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_waits_are_drawn() -> None:
    """From nothing to twice the one before, so that clients do not come back all at once; never too long."""
    assert Retry(random=lambda: 0.0).wait_s(5) == 0.0
    assert Retry(random=lambda: 0.5).wait_s(1) == 0.25
    assert Retry(random=lambda: 1.0).wait_s(10_000) == 10.0


@on_loop
async def test_a_client_that_is_not_let_in_any_more_gives_up() -> None:
    """A token that was changed does not become right by trying."""
    async with (
        running(options=ServerOptions(token="old")) as where,
        running(options=ServerOptions(token="new")) as other,
        proxied(where.server.port) as (proxy, address),
        connect(address, token="old", reconnect=Naps().retry()) as client,
    ):
        proxy.target = ("127.0.0.1", other.server.port)
        proxy.cut()
        with pytest.raises(NotAdmitted, match="401"):
            await client.ping()
        with pytest.raises(NotAdmitted, match="401"):
            await anext(client.changes())


@on_loop
async def test_a_client_that_was_closed_says_so() -> None:
    """Whoever still waits, and whoever asks afterwards."""
    async with running() as where:
        async with connect(where.address) as client:
            reply = client.ask("hold")
            await anext(reply)
        with pytest.raises(ServerUnreachable, match="closed"):
            await reply
        with pytest.raises(ServerUnreachable, match="closed"):
            await client.ping()
        with pytest.raises(ServerUnreachable, match="closed"):
            await client.ask("and now?")
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
