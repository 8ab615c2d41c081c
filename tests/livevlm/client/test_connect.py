"""The client against the real server: answers, refusals, cancelling, and connections that break."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.asyncio.server import ServerConnection, serve

from livevlm.client import connect
from livevlm.errors import (
    ConfigError,
    NoFramesYet,
    QueueFull,
    RateLimited,
    ServerUnreachable,
    StreamNotFound,
)
from livevlm.messages import AnswerChunk, Failure, Recalled
from livevlm.service.address import is_loopback, realtime_url, shown
from livevlm.service.asking import error_from
from livevlm.service.limits import Limits
from livevlm.service.server import ServerOptions
from tests.livevlm.service.serving import Running, on_loop, running


def cut(where: Running) -> None:
    """Break all connections as a network does: without a word."""
    for link in list(where.server._clients.links):
        link.abort()


def test_every_code_of_the_tree_comes_back_as_its_error() -> None:
    """An error survives the wire; one this client does not know keeps its code."""
    for known in (StreamNotFound, NoFramesYet, QueueFull):
        assert type(error_from(Failure(code=known.code, message="m"))) is known
    wrong = error_from(Failure(code="invalid_value", message="m", kind="invalid_request_error"))
    assert (wrong.code, wrong.exit_code) == ("invalid_value", 2)


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
async def test_who_asks_too_fast_is_told_when_to_go_on() -> None:
    """As a number, for programs that wait."""
    options = ServerOptions(limits=Limits(questions_per_minute=1))
    async with running(options=options) as where, connect(where.address) as client:
        await client.ask("what?")
        with pytest.raises(RateLimited) as error:
            await client.ask("and now?")
    assert 0 < error.value.retry_after_s <= 60


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
    """Of who wrote it, not of a daemon that is away and may come back; it is repeated without credentials."""
    with pytest.raises(ConfigError) as error:
        realtime_url(address, None)
    assert "pw" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "ours"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("10.0.0.1", False), ("", False)],
)
def test_the_loopback_is_known(host: str, ours: bool) -> None:
    """No proxy for it, and no strange names on it."""
    assert is_loopback(host) is ours
