"""The client against the real server: answers, refusals, cancelling, and connections that break."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.asyncio.server import ServerConnection, serve

from livevlm.client import connect
from livevlm.errors import LiveVLMError, NoFramesYet, QueueFull, ServerUnreachable, StreamNotFound
from livevlm.messages import Answer, AnswerChunk, Failure, Recalled, TimeRange
from livevlm.service.address import is_loopback, realtime_url, shown
from livevlm.service.asking import error_from
from livevlm.service.options import AskOptions
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import AS_OF, evidence
from tests.livevlm.service.serving import Running, on_loop, running


def cut(where: Running) -> None:
    """Break all connections as a network does: without a word."""
    for link in list(where.server._clients.links):
        link.abort()


@on_loop
async def test_an_answer_arrives_piece_by_piece() -> None:
    """First what was recalled, then the text as it grows, then the whole answer with everything known about it."""
    async with running() as where, connect(where.address) as client:
        reply = client.ask("what is it?")
        recalled, *chunks, answer = [event async for event in reply]
        again = await reply
    assert isinstance(recalled, Recalled)
    assert isinstance(answer, Answer)
    assert (recalled.as_of, recalled.evidence) == (AS_OF, (evidence("front"),))
    pieces = [chunk.text for chunk in chunks if isinstance(chunk, AnswerChunk)]
    assert len(pieces) == len(chunks)
    assert "".join(pieces) == "You asked: what is it?"
    assert (answer.text, answer.status, answer.stream) == (
        "You asked: what is it?",
        "completed",
        "front",
    )
    assert (answer.as_of, answer.evidence) == (AS_OF, (evidence("front"),))
    assert (answer.timings.ttft_s, answer.timings.total_s) == (0.01, 0.07)
    assert (answer.question_tokens, answer.context_tokens, answer.answer_tokens) == (9, 400, 5)
    assert answer == again
    assert answer.question_id == reply.id


@on_loop
async def test_the_whole_answer_can_be_waited_for() -> None:
    """Whoever does not care for the pieces gets the end; questions may run in parallel."""
    async with running("front", "back") as where, connect(where.address, stream="back") as client:
        replies = [client.ask(f"question {number}") for number in range(5)]
        texts = [(await reply).text for reply in reversed(replies)]
        assert replies[0].stream == "back"
    assert texts == [f"You asked: question {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "time",
    [
        TimeRange(last_s=60.5),
        TimeRange(from_s=5, to_s=8),
        TimeRange(to_s=0),
        TimeRange(from_s=1_769_853_600.125, to_s=1_769_853_601.0, utc=True),
    ],
)
@on_loop
async def test_wishes_arrive_as_they_were_meant(time: TimeRange) -> None:
    """A question's time and options are the same on the other side of the wire."""
    options = AskOptions(
        instructions="Be brief.",
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        seed=3,
        max_evidence=0,
        deadline_s=2.5,
        metadata={"topic": "test"},
    )
    async with running() as where, connect(where.address) as client:
        reply = client.ask("what?", stream="front", time=time, options=options)
        answer = await reply
        (asked,) = where.service.questions
    assert asked.time == time
    assert asked.text == "Be brief.\n\nwhat?"
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.seed) == (5, 0.5, 0.9, 3)
    assert (asked.max_evidence, asked.deadline_s) == (0, 2.5)
    assert answer.evidence == ()


@on_loop
async def test_an_answer_can_be_cancelled() -> None:
    """It ends with what it had; cancelling again does nothing."""
    async with running() as where, connect(where.address) as client:
        reply = client.ask("hold")
        reply.cancel()
        answer = await reply
        reply.cancel()
        await client.ping()
    assert (answer.status, answer.text) == ("cancelled", "You ")


@on_loop
async def test_asking_may_be_given_up() -> None:
    """Whoever stops waiting for the acceptance leaves no answer behind, and the session goes on."""
    async with running() as where, connect(where.address) as client:
        reply = client.ask("hold")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):  # it is not yet accepted
                await reply
        await client.ping()
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        assert [where.service.questions[0].id] == where.service.cancelled


@on_loop
async def test_refusals_are_the_daemons_errors() -> None:
    """What the daemon refuses raises the error of its code, with the exit code that commands return."""
    async with running("front", "back") as where, connect(where.address, stream="front") as client:
        with pytest.raises(StreamNotFound, match="front, back") as unknown:
            await client.ask("what?", stream="side")
        with pytest.raises(QueueFull):
            await client.ask("full")
        with pytest.raises(LiveVLMError, match="empty") as empty:
            await client.ask(" ")
        assert (await client.ask("what?")).status == "completed"
    assert (unknown.value.exit_code, empty.value.exit_code) == (5, 2)
    assert (empty.value.code, empty.value.kind) == ("invalid_value", "invalid_request_error")


@on_loop
async def test_a_failed_answer_keeps_its_reason() -> None:
    """Awaiting it raises the error; iterating shows the answer as it ended."""
    async with running() as where, connect(where.address) as client:
        with pytest.raises(NoFramesYet, match="nothing seen"):
            await client.ask("nothing yet")
        reply = client.ask("fail")
        (answer,) = [event async for event in reply]
        with pytest.raises(LiveVLMError) as other:
            await reply
    assert isinstance(answer, Answer)
    assert answer == reply.ended
    assert (answer.status, answer.as_of) == ("failed", None)
    assert (type(other.value), other.value.code, other.value.exit_code) == (
        LiveVLMError,
        "out_of_memory",
        1,
    )


def test_every_code_of_the_tree_comes_back_as_its_error() -> None:
    """An error survives the wire; one this client does not know keeps its code."""
    for known in (StreamNotFound, NoFramesYet, QueueFull):
        assert type(error_from(Failure(code=known.code, message="m"))) is known
    wrong = error_from(Failure(code="invalid_value", message="m", kind="invalid_request_error"))
    assert (wrong.code, wrong.exit_code) == ("invalid_value", 2)


@on_loop
async def test_the_status_is_what_the_service_knows() -> None:
    """Version, model, readiness and every stream's state."""
    async with running("front", "back") as where, connect(where.address) as client:
        assert client.streams == ["front", "back"]
        status = await client.status()
        assert status.streams == where.service.statuses
    assert (status.version, status.model, status.ready) == ("0.0.test", "fake", True)


@on_loop
async def test_a_lost_connection_is_told_to_all_who_wait() -> None:
    """An answer that cannot end any more, and whatever is asked afterwards, raise ServerUnreachable."""
    async with running() as where:
        async with connect(where.address, reconnect=False) as client:
            reply = client.ask("hold")
            await anext(reply)
            await where.server.drain(0)
            with pytest.raises(ServerUnreachable, match="the daemon stopped"):
                await reply
            with pytest.raises(ServerUnreachable, match="1001"):
                await client.ping()
            with pytest.raises(ServerUnreachable, match="1001"):
                await client.ask("and now?")
    assert reply.ended is not None  # its end was still told
    assert (reply.ended.status, reply.ended.text) == ("cancelled", "You ")


@on_loop
async def test_an_answer_that_breaks_off_raises() -> None:
    """The pieces that arrived are given first."""
    async with running() as where:
        async with connect(where.address, reconnect=False) as client:
            reply = client.ask("hold")
            recalled = await anext(reply)
            chunk = await anext(reply)
            cut(where)
            with pytest.raises(ServerUnreachable, match="lost"):
                await anext(reply)
            with pytest.raises(ServerUnreachable):
                await reply
    assert isinstance(recalled, Recalled)
    assert isinstance(chunk, AnswerChunk)


@on_loop
async def test_no_daemon_there_is_an_error_with_the_way_out() -> None:
    """A refused connection names the address and how to start a daemon."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ServerUnreachable, match=f"127.0.0.1:{port}.*livevlm serve") as error:
            async with connect(f"127.0.0.1:{port}"):
                pass
    assert error.value.exit_code == 3


@on_loop
async def test_a_wrong_token_is_said_to_be_one() -> None:
    """401 is about the token; the token itself is not repeated."""
    async with running(options=ServerOptions(token="s3cret")) as where:
        for token in (None, "wr0ng"):
            with pytest.raises(ServerUnreachable, match="token") as error:
                async with connect(where.address, token=token):
                    pass
            assert "wr0ng" not in str(error.value)
        async with connect(where.address, token="s3cret") as client:
            await client.ping()


@on_loop
async def test_another_server_is_no_daemon() -> None:
    """A websocket that says something else, or nothing, or closes at once, is told from a daemon."""

    async def chatter(link: ServerConnection) -> None:
        await link.send("hello")

    async def silence(link: ServerConnection) -> None:
        await link.wait_closed()

    async def goodbye(link: ServerConnection) -> None:
        await link.close(1011)

    for handler in (chatter, silence, goodbye):
        async with serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(ServerUnreachable, match="no LiveVLM daemon"):
                async with connect(f"127.0.0.1:{port}", timeout_s=0.2):
                    pass


@on_loop
async def test_a_page_that_refuses_is_repeated() -> None:
    """The server's own words reach the user: here, that it is stopping."""
    async with running() as where, connect(where.address) as client:
        await anext(client.ask("hold"))
        drain = asyncio.create_task(where.server.drain(30))
        await client.ping()
        with pytest.raises(ServerUnreachable, match=r"503.*stopping"):
            async with connect(where.address):
                pass
        where.service.release()
        await drain


@pytest.mark.parametrize(
    ("address", "url", "told"),
    [
        ("127.0.0.1:8765", "ws://127.0.0.1:8765/v1/realtime", "ws://127.0.0.1:8765"),
        ("camera", "ws://camera/v1/realtime", "ws://camera"),
        ("http://camera:1", "ws://camera:1/v1/realtime", "ws://camera:1"),
        ("https://camera/", "wss://camera/v1/realtime", "wss://camera"),
        ("wss://u:p@camera/x?y=1", "wss://u:p@camera/x?y=1", "wss://camera"),
        ("[::1]:8765", "ws://[::1]:8765/v1/realtime", "ws://[::1]:8765"),
    ],
)
def test_addresses_are_what_users_write(address: str, url: str, told: str) -> None:
    """HOST:PORT or any URL; the scheme and the path are ours to add, and credentials are not shown."""
    found = realtime_url(address, None)
    assert (found.geturl(), shown(found)) == (url, told)


def test_a_stream_goes_into_the_url() -> None:
    """Whatever its name."""
    assert realtime_url("camera", "a b&c").query == "stream=a+b%26c"


@pytest.mark.parametrize(
    "address", ["", "ftp://camera", "camera:port", "ws://", "http://[", "ws://u:pw@camera:x"]
)
def test_what_is_no_address_is_an_error(address: str) -> None:
    """It is repeated without credentials."""
    with pytest.raises(ServerUnreachable) as error:
        realtime_url(address, None)
    assert "pw" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "ours"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("10.0.0.1", False), ("", False)],
)
def test_the_loopback_is_known(host: str, ours: bool) -> None:
    """No proxy for it, and no strange names on it."""
    assert is_loopback(host) is ours
