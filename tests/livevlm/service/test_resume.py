"""Sessions that outlive their connection, over real sockets: cut anywhere, resumed, expired, taken over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from livevlm.service.limits import Limits
from livevlm.service.server import ServerOptions
from tests.livevlm.service.serving import Event, Peer, Running, ask, on_loop, running

ORIGINS = ("https://a.example", "https://b.example")


@dataclass
class Visit:
    """One connection of a client that remembers what it needs to come back."""

    peer: Peer
    token: str | None
    heard: list[Event] = field(default_factory=list)

    @property
    def last_seq(self) -> int:
        """The number of the last event that was seen."""
        seq: int = self.heard[-1]["seq"]
        return seq

    async def until(self, kind: str) -> Event:
        """Read up to the next event of a kind."""
        self.heard += await self.peer.until(kind)
        return self.heard[-1]

    async def ping(self) -> None:
        """Say something, and hear the answer."""
        await self.peer.send({"type": "ping"})
        await self.until("pong")

    def cut(self) -> None:
        """The line breaks, without a word."""
        self.peer.socket.transport.abort()


@asynccontextmanager
async def visit(where: Running, **arguments: Any) -> AsyncIterator[Visit]:
    """A client that has read session.created."""
    async with connect(where.url, proxy=None, **arguments) as socket:
        here = Visit(Peer(socket), None)
        created = await here.until("session.created")
        here.token = created["session"]["livevlm"].get("resume", {}).get("token")
        yield here


@asynccontextmanager
async def again(where: Running, before: Visit, **arguments: Any) -> AsyncIterator[Visit]:
    """The client of an earlier visit comes back; what it heard begins with session.resumed."""
    async with visit(where, **arguments) as here:
        await wish(here, before.token, before.last_seq)
        resumed = await here.peer.event()
        assert resumed["type"] == "session.resumed", resumed
        assert resumed["seq"] == resumed["last_seq"] == before.last_seq
        here.heard = [resumed]
        here.token = resumed["session"]["livevlm"]["resume"]["token"]
        yield here


async def wish(here: Visit, token: str | None, last_seq: int) -> None:
    """Ask for a session to be resumed."""
    event = {"type": "session.resume", "event_id": "r1", "token": token, "last_seq": last_seq}
    await here.peer.send(event)


async def refusal(where: Running, token: str | None, last_seq: int, **arguments: Any) -> Event:
    """The error that a wish to resume is refused with; the new session goes on."""
    async with visit(where, **arguments) as here:
        await wish(here, token, last_seq)
        error = (await here.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("session_not_resumable", "r1")
        await here.ping()
        assert [event["seq"] for event in here.heard] == [1, 2, 3]
    found: Event = error
    return found


def seqs(*visits: Visit) -> list[int]:
    """The numbers of all events of the visits but the greetings of the later ones."""
    first, *later = visits
    return [event["seq"] for event in first.heard] + [
        event["seq"] for one in later for event in one.heard[1:]
    ]


def text_of(*visits: Visit) -> str:
    """The pieces of text that came, put together."""
    events = [event for one in visits for event in one.heard]
    return "".join(
        event["delta"] for event in events if event["type"] == "response.output_text.delta"
    )


@on_loop
async def test_an_answer_goes_on_after_a_cut_in_its_middle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody notices but by session.resumed: each event comes once, in order, with the numbers going on. No token is logged."""
    async with running() as where:
        with caplog.at_level(logging.DEBUG, "livevlm"):
            async with visit(where) as before:
                await before.peer.send(ask("hold"))
                await before.until("response.output_text.delta")
                before.cut()
            where.service.release()
            async with again(where, before) as after:
                done = (await after.until("response.done"))["response"]
                await after.ping()
        assert where.service.cancelled == []
    assert seqs(before, after) == list(range(1, after.last_seq + 1))
    assert after.heard[0]["client_event_id"] == "r1"
    assert after.heard[0]["received"] == 1
    assert text_of(before, after) == done["output"][0]["content"][0]["text"] == "You asked: hold"
    assert before.token not in caplog.text
    assert after.token not in caplog.text


@on_loop
async def test_a_question_survives_a_cut_before_it_was_accepted() -> None:
    """response.created was on its way: it comes again, so that the client knows that it need not ask anew."""
    async with running() as where:
        async with visit(where) as before:
            await before.peer.send(ask("what is it?"))
            await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.questions))
            before.cut()
        async with again(where, before) as after:
            await after.until("response.done")
    assert after.heard[1]["type"] == "response.created"
    assert text_of(after) == "You asked: what is it?"
    assert seqs(before, after) == list(range(1, after.last_seq + 1))


@on_loop
async def test_a_session_can_be_resumed_again_and_again_with_the_newest_token_only() -> None:
    """A token is good once: when the client has spoken with what it got for it, it is spent."""
    async with running() as where:
        async with visit(where) as first:
            await first.peer.send(ask("hold"))
            await first.until("response.output_text.delta")
            first.cut()
        async with again(where, first) as lost:
            lost.cut()  # session.resumed may have been on its way: the old token must do once more
        async with again(where, first) as second:
            await second.ping()
            second.cut()
        await refusal(where, first.token, second.last_seq)
        async with again(where, second) as third:
            where.service.release()
            await third.until("response.done")
    assert seqs(first, second, third) == list(range(1, third.last_seq + 1))


@on_loop
async def test_a_session_that_nobody_came_back_to_ends() -> None:
    """When its time is over its questions are cancelled, and its token leads nowhere."""
    options = ServerOptions(resume_s=0.01, notice_s=0.01)
    async with running(options=options) as where:
        async with visit(where) as before:
            response_id = await before.peer.ask("hold")
            before.cut()
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        assert where.service.cancelled == [response_id]
        error = await refusal(where, before.token, before.last_seq)
    assert "over" in error["message"]


@on_loop
async def test_a_client_that_says_goodbye_is_not_waited_for() -> None:
    """A close in order (1000) cancels what was asked at once, and nothing is left to be resumed."""
    async with running() as where:
        async with visit(where) as before:
            await before.peer.ask("hold")
            await before.peer.socket.close()
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        await refusal(where, before.token, before.last_seq)


@on_loop
async def test_where_nothing_is_resumed_a_cut_cancels_at_once() -> None:
    """resume_s = 0: no token is told, and a session ends with its connection."""
    async with running(options=ServerOptions(resume_s=0)) as where:
        async with visit(where) as before:
            await before.peer.ask("hold")
            before.cut()
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
    assert before.token is None


@on_loop
async def test_who_was_closed_for_what_it_sent_cannot_resume() -> None:
    """A client that does not keep to the limits is not let in again by the back door."""
    options = ServerOptions(limits=Limits(malformed_per_minute=1))
    async with running(options=options) as where:
        async with visit(where) as before:
            await before.peer.ask("hold")
            with suppress(ConnectionClosed):
                while True:
                    await before.peer.send({"type": "nonsense"})
                    await before.until("error")
            assert before.peer.socket.close_code == 4400
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        await refusal(where, before.token, before.last_seq)


@pytest.mark.parametrize("token", ["", "no such token", "ä" * 512])
@on_loop
async def test_a_wrong_token_resumes_nothing(token: str) -> None:
    """The session that began goes on as a fresh one, and the other one is not touched."""
    async with running() as where, visit(where) as other:
        async with visit(where) as here:
            await wish(here, token, 1)
            error = (await here.until("error"))["error"]
            await here.ping()
        await other.ping()
    assert error["event_id"] == "r1"
    assert error["code"] == ("session_not_resumable" if token else "invalid_value")
    assert not token or token not in error["message"]


@on_loop
async def test_only_the_first_event_may_resume() -> None:
    """Later there would be two sessions in one; the own token leads nowhere either."""
    async with running() as where, visit(where) as other, visit(where) as here:
        await here.ping()
        await wish(here, other.token, 1)
        error = (await here.until("error"))["error"]
        assert error["code"] == "session_not_resumable"
        await refusal(where, "nobody's", 0)
        await wish(other, other.token, 1)
        assert (await other.until("error"))["error"]["code"] == "session_not_resumable"
        await other.ping()


@on_loop
async def test_a_session_is_resumed_from_where_it_was_begun() -> None:
    """A token is worth nothing to another web page, nor to who is no web page."""
    options = ServerOptions(allowed_origins=frozenset(ORIGINS))
    async with running(options=options) as where:
        async with visit(where, origin=ORIGINS[0]) as before:
            before.cut()
        await refusal(where, before.token, before.last_seq, origin=ORIGINS[1])
        await refusal(where, before.token, before.last_seq)
        async with again(where, before, origin=ORIGINS[0]) as after:
            await after.ping()


@on_loop
async def test_more_than_is_kept_is_lost_and_told() -> None:
    """Who stays away while more comes than is kept cannot resume: its session ends, and it is told why not."""
    async with running(options=ServerOptions(max_outgoing_bytes=4000)) as where:
        async with visit(where) as before:
            await before.peer.send({"type": "watch.create", "condition": "a car"})
            await before.until("watch.created")
            await before.peer.ask("hold")
            before.cut()
        while not where.service.cancelled:
            where.service.watches.tell("triggered")
            await asyncio.sleep(0)
        await refusal(where, before.token, before.last_seq)


@on_loop
async def test_a_client_that_missed_what_is_kept_no_more_is_told_so() -> None:
    """A wrong last_seq is never answered with a gap, and the session that cannot be resumed ends."""
    async with running(options=ServerOptions(max_outgoing_bytes=6000)) as where:
        async with visit(where) as before:
            await before.peer.ask("hold")
            for _ in range(200):
                await before.ping()
            before.cut()
        error = await refusal(where, before.token, 3)
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
    assert "events after number 3 are lost" in error["message"]


@on_loop
async def test_a_connection_that_only_seems_open_is_taken_over() -> None:
    """The client knows better than the server: what was sent into the dead connection comes again, and it is closed (4409)."""
    async with running() as where, visit(where) as before:
        await before.peer.send(ask("hold"))
        await before.until("response.output_text.delta")
        async with again(where, before) as after:
            where.service.release()
            await after.until("response.done")
            with pytest.raises(ConnectionClosed):
                await before.until("nothing")
            await after.ping()
    assert before.peer.socket.close_code == 4409
    assert seqs(before, after) == list(range(1, after.last_seq + 1))


@on_loop
async def test_what_was_subscribed_is_told_after_a_cut_too() -> None:
    """What watches tell while nobody is there waits, and a new condition need not be subscribed again."""
    async with running() as where:
        async with visit(where) as before:
            await before.peer.send({"type": "subscribe", "topics": ["watch"]})
            await before.peer.send({"type": "watch.create", "condition": "a car"})
            await before.until("watch.created")
            before.cut()
        where.service.watches.tell("triggered")
        async with again(where, before) as after:
            await after.until("watch.triggered")
            where.service.watches.tell("cleared")
            await after.until("watch.cleared")
    assert seqs(before, after) == list(range(1, after.last_seq + 1))


@on_loop
async def test_a_client_that_was_too_slow_can_come_back() -> None:
    """Closed with 4413, it resumes and gets all that it did not read, with no number left out."""
    names = [f"camera-{number}" for number in range(20)]
    options = ServerOptions(max_outgoing_bytes=50_000, close_timeout_s=30)
    async with running(*names, options=options) as where:
        async with visit(where) as before:
            before.peer.socket.transport.pause_reading()
            while not where.metrics.slow_clients:
                await before.peer.send({"type": "stream.list"})
                await asyncio.sleep(0)
            before.peer.socket.transport.resume_reading()
            with suppress(ConnectionClosed):
                while True:
                    await before.until("stream.listed")
            assert before.peer.socket.close_code == 4413
        async with again(where, before) as after:
            await after.ping()
    missed = after.heard[0]["replayed"]
    assert missed >= 2
    assert seqs(before, after) == list(range(1, before.last_seq + missed + 2))


@on_loop
async def test_only_so_many_sessions_are_kept() -> None:
    """Who was lost first goes first."""
    async with running(options=ServerOptions(max_resumable=1)) as where:
        async with visit(where) as first:
            response_id = await first.peer.ask("hold")
            first.cut()
        async with visit(where) as second:
            await second.ping()
            second.cut()
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        assert where.service.cancelled == [response_id]
        async with again(where, second) as after:
            await after.ping()


@on_loop
async def test_stopping_does_not_wait_for_who_is_away() -> None:
    """On a gentle stop too: nobody will come back to this daemon."""
    async with running() as where:
        async with visit(where) as before:
            response_id = await before.peer.ask("hold")
            before.cut()
        async with asyncio.timeout(30):
            await where.server.drain(60)
        assert where.service.cancelled == [response_id]
