"""The server on real sockets: sessions, answers, clients that misbehave or leave, and stopping."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode

from livevlm.errors import ListenFailed
from livevlm.metrics import Metrics
from livevlm.service.server import Server, ServerOptions
from tests.livevlm.service.fake_service import FakeService
from tests.livevlm.service.serving import (
    Peer,
    Running,
    WatchedMetrics,
    ask,
    joined,
    on_loop,
    running,
)

ANSWER_EVENTS = [
    "response.created",
    "response.evidence",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """One number of the metrics as they are scraped."""
    families = text_string_to_metric_families(metrics.render().decode())
    found = [s for family in families for s in family.samples if s.name == name]
    (one,) = [s.value for s in found if s.labels == labels]
    return one


async def closing(link: ClientConnection) -> int | None:
    """Read until the server closes; its close code."""
    with suppress(ConnectionClosed):
        while True:
            await link.recv()
    return link.close_code


@pytest.mark.parametrize("path", ["/v1/realtime", "/realtime", "/v1/realtime?model=gpt-realtime"])
@on_loop
async def test_a_session_opens_on_both_paths(path: str) -> None:
    """The daemon's own path and the one that stock clients add to a base URL both open a session."""
    async with running("front", "back") as where:
        async with connect(f"ws://{where.address}{path}", proxy=None) as link:
            created = await Peer(link).event()
    extras = created["session"]["livevlm"]
    assert created["type"] == "session.created"
    assert created["session"]["type"] == "realtime"
    assert (extras["version"], extras["model"]) == ("0.0.test", "fake")
    assert extras["streams"] == ["front", "back"]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, None),
        (["livevlm.v1"], "livevlm.v1"),
        (["x", "livevlm.v1"], "livevlm.v1"),
        (["realtime"], "realtime"),
    ],
)
@on_loop
async def test_known_subprotocols_are_accepted(
    offered: list[str] | None, chosen: str | None
) -> None:
    """Stock clients offer none or their own name; ours says which version it speaks."""
    async with running() as where, joined(where, subprotocols=offered) as peer:
        assert peer.socket.subprotocol == chosen


@on_loop
async def test_an_unknown_subprotocol_is_refused_with_the_known_one() -> None:
    """A client that wants another protocol learns at once which one is spoken here."""
    async with running() as where:
        with pytest.raises(InvalidStatus) as refused:
            await connect(where.url, subprotocols=["graphql-ws"], proxy=None)  # type: ignore[list-item]
    assert refused.value.response.status_code == 400
    assert b"livevlm.v1" in refused.value.response.body


@on_loop
async def test_an_answer_arrives_as_a_stream_of_numbered_events() -> None:
    """The whole order of one answer's events, each numbered and timed, and what response.done tells."""
    async with running() as where, joined(where) as peer:
        await peer.send(ask("what is it?", event_id="mine"))
        events = await peer.until("response.done")
    assert [event["type"] for event in events] == ANSWER_EVENTS
    assert [event["seq"] for event in events] == list(range(2, 13))
    assert all(event["ts"].endswith("Z") and event["event_id"] for event in events)
    done = events[-1]["response"]
    assert done["status"] == "completed"
    assert done["output"][0]["content"] == [
        {"type": "output_text", "text": "You asked: what is it?"}
    ]
    assert done["livevlm"]["as_of"] == {"stream_s": 12.5, "utc": "2026-09-21T14:13:32.500Z"}
    assert done["livevlm"]["client_event_id"] == "mine"
    assert done["livevlm"]["frames_behind"] == 3
    assert done["livevlm"]["timings"]["ttft_ms"] == 10.0


@on_loop
async def test_a_cancelled_answer_ends_with_what_it_had() -> None:
    """response.cancel stops the engine, and the answer still ends with its one response.done."""
    async with running() as where, joined(where) as peer:
        response_id = await peer.ask("hold")
        await peer.until("response.output_text.delta")
        await peer.send({"type": "response.cancel", "response_id": response_id})
        done = (await peer.until("response.done"))[-1]["response"]
        assert where.service.cancelled == [response_id]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
    assert done["output"][0]["content"][0]["text"] == "You "


@on_loop
async def test_questions_are_answered_in_parallel_up_to_a_limit() -> None:
    """A client may ask while it waits, but one client cannot fill the queue."""
    options = ServerOptions(max_questions_per_client=2)
    async with running(options=options) as where, joined(where) as peer:
        await peer.ask("hold")
        await peer.ask("second")
        await peer.send(ask("third", event_id="third"))
        error = (await peer.until("error"))[-1]["error"]
        where.service.release()
        await peer.until("response.done")
        await peer.until("response.done")
        await peer.ask("fourth")
    assert (error["type"], error["code"]) == ("rate_limit_error", "queue_full")
    assert error["event_id"] == "third"


@on_loop
async def test_what_the_service_refuses_is_told() -> None:
    """A full queue is an error of the event that asked; the session goes on."""
    async with running() as where, joined(where) as peer:
        await peer.send(ask("full", event_id="mine"))
        error = (await peer.event())["error"]
        await peer.ask("and now?")
    assert (error["code"], error["event_id"]) == ("queue_full", "mine")


@on_loop
async def test_a_client_that_leaves_cancels_its_questions() -> None:
    """Nobody computes for a client that is gone, and the next client is served."""
    async with running() as where:
        async with joined(where) as peer:
            response_id = await peer.ask("hold")
            await peer.socket.close()
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        assert where.service.cancelled == [response_id]
        async with joined(where) as other:
            await other.ask("still there?")
            await other.until("response.done")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"hello"',
        "null",
        "{}",
        '{"type": 5}',
        '{"type": "nonsense"}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": "ping", "event_id": ' + "9" * 10_000 + "}",
        '{"type": "response.create", "response": {"max_output_tokens": ' + "9" * 400 + "}}",
        '{"type": "ping", "event_id": "\\ud800"}',
        '{"type": "ping", "x": NaN}',
        b"\x00\x01",
        b"{}",
    ],
    ids=lambda text: repr(text[:30]),
)
@on_loop
async def test_nonsense_is_an_error_and_the_session_stays(text: str | bytes) -> None:
    """Whatever a client sends, it hears what was wrong and can go on."""
    async with running() as where, joined(where) as peer:
        await peer.socket.send(text)
        assert (await peer.event())["type"] == "error"
        await peer.ask("still there?")
        assert (await peer.until("response.done"))[-1]["response"]["status"] == "completed"


@on_loop
async def test_text_that_is_no_utf8_closes_with_1007() -> None:
    """The websocket standard leaves no choice there; others are not disturbed."""
    async with running() as where, joined(where) as peer:
        async with connect(where.url, proxy=None) as link:
            await link.send(b"\xff\xfe", text=True)
            assert await closing(link) == 1007
        await peer.ask("still there?")


@on_loop
async def test_a_huge_message_is_refused_by_its_header_alone() -> None:
    """A message of 100 MB is refused (1009) before any of it was sent, so it never takes memory."""
    async with running() as where, joined(where) as peer:
        async with connect(where.url, proxy=None) as link:
            await link.recv()
            header = struct.pack("!BBQ", 0x80 | Opcode.TEXT, 0x80 | 127, 100_000_000)
            link.transport.write(header + b"mask")
            assert await closing(link) == 1009
        await peer.ask("still there?")


@on_loop
async def test_a_message_just_too_long_is_refused_and_one_that_fits_is_not() -> None:
    """The limit is the configured one."""
    async with running(options=ServerOptions(max_message_bytes=1000)) as where:
        async with joined(where) as peer:
            await peer.socket.send('{"type":"ping"}'.ljust(1000))
            assert (await peer.event())["type"] == "pong"
            await peer.socket.send('{"type":"ping"}'.ljust(1001))
            assert await closing(peer.socket) == 1009


async def deaf_client(where: Running) -> asyncio.StreamWriter:
    """A websocket client, spoken by hand, that reads no more than the server's first words."""
    host, port = where.address.split(":")
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=small.dup(), limit=1024)
    writer.write(
        b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return writer


def frame(text: str) -> bytes:
    """A client's text frame; the mask is zero."""
    data = text.encode()
    return struct.pack("!BBH", 0x81, 0x80 | 126, len(data)) + bytes(4) + data


@on_loop
async def test_a_client_that_does_not_read_is_closed_and_others_are_not() -> None:
    """A slow consumer takes a bounded amount of memory, is cut off, and disturbs nobody."""
    names = [f"camera-{number}" for number in range(20)]
    options = ServerOptions(max_outgoing_bytes=50_000, close_timeout_s=0.1)
    async with running(*names, options=options) as where, joined(where) as other:
        writer = await deaf_client(where)
        while not where.metrics.slow_clients:
            writer.write(10 * frame('{"type":"stream.list"}'))
            await asyncio.sleep(0)
        assert sample(where.metrics, "livevlm_ws_slow_consumer_closes_total") == 1
        while sample(where.metrics, "livevlm_ws_connections") > 1:
            await asyncio.sleep(0.01)
        writer.close()
        response_id = await other.ask("how are you?", streams=["camera-7"])
        done = (await other.until("response.done"))[-1]
    assert done["response"]["id"] == response_id


@on_loop
async def test_a_late_reader_learns_that_it_was_too_slow() -> None:
    """A client that reads again soon enough finds the close code 4413 behind what was sent before."""
    names = [f"camera-{number}" for number in range(20)]
    options = ServerOptions(max_outgoing_bytes=50_000, close_timeout_s=30)
    async with running(*names, options=options) as where, joined(where) as peer:
        peer.socket.transport.pause_reading()
        while not where.metrics.slow_clients:
            for _ in range(10):
                await peer.send({"type": "stream.list"})
            await asyncio.sleep(0)
        peer.socket.transport.resume_reading()
        assert await closing(peer.socket) == 4413


@on_loop
async def test_a_burst_that_does_not_fit_is_a_slow_client_too() -> None:
    """However the outbox came to be full, the close code says so."""
    async with running(options=ServerOptions(max_outgoing_bytes=2_000)) as where:
        async with joined(where) as peer:
            await peer.send(ask("many 1000"))
            assert await closing(peer.socket) == 4413


@on_loop
async def test_many_requests_at_once_are_no_slowness() -> None:
    """A client that asks for a lot and reads it gets it, though all of it at once would not fit into its outbox."""
    names = [f"camera-{number}" for number in range(20)]
    async with running(*names, options=ServerOptions(max_outgoing_bytes=50_000)) as where:
        async with joined(where) as peer:
            for _ in range(64):
                await peer.send({"type": "stream.list"})
            for _ in range(64):
                assert (await peer.event())["type"] == "stream.listed"


@on_loop
async def test_a_long_answer_reaches_a_client_that_reads() -> None:
    """All of it arrives once and in order, however fast it comes; pieces that wait for a while may arrive as one."""
    async with running() as where, joined(where) as peer:
        await peer.ask("many 2000")
        events = await peer.until("response.done")
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == "".join(f"{number} " for number in range(2000))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "".join(deltas)
    assert [event["seq"] for event in events] == list(range(3, len(events) + 3))


@on_loop
async def test_a_bug_in_the_service_ends_one_session_only(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is logged with its traceback and closes the session it happened in (1011)."""

    class Broken(FakeService):
        def cancel(self, question_id: str) -> bool:
            raise ZeroDivisionError("a bug")

    metrics = WatchedMetrics()
    with Broken() as service, caplog.at_level(logging.ERROR, "livevlm.service.server"):
        async with Server(service, host="127.0.0.1", port=0, metrics=metrics) as server:
            where = Running(server, service, metrics)
            async with joined(where) as other, joined(where) as peer:
                await peer.ask("hold")
                await peer.send({"type": "response.cancel"})
                assert await closing(peer.socket) == 1011
                service.release()
                await other.ask("still there?")
    assert "ZeroDivisionError" in caplog.text


@on_loop
async def test_the_stream_of_the_url_is_the_default() -> None:
    """?stream=back spares a client naming the stream in every question."""
    async with running("front", "back") as where:
        async with joined(where, "?stream=back") as peer:
            await peer.ask("hello?")
            await peer.until("response.done")
            await peer.ask("and here?", streams=["front"])
            await peer.until("response.done")
        assert [question.stream for question in where.service.questions] == ["back", "front"]


@on_loop
async def test_a_port_in_use_is_an_error_that_names_it() -> None:
    """Starting a second daemon says which address is taken and what to do."""
    async with running() as where:
        second = Server(where.service, host="127.0.0.1", port=where.server.port, metrics=Metrics())
        with pytest.raises(ListenFailed, match=rf"{where.address}.*in use.*--listen") as failed:
            await second.__aenter__()
    assert failed.value.exit_code == 3


@pytest.mark.parametrize(
    ("host", "port"), [("203.0.113.7", 0), ("no.such.host.invalid", 0), ("127.0.0.1", 70_000)]
)
@on_loop
async def test_an_address_that_is_not_ours_is_an_error(host: str, port: int) -> None:
    """A wrong address, name or port is explained, not traced back."""
    with FakeService() as service:
        with pytest.raises(ListenFailed, match=f"{host}:{port}"):
            await Server(service, host=host, port=port, metrics=Metrics()).__aenter__()


@on_loop
async def test_draining_lets_answers_end_and_takes_no_more() -> None:
    """A gentle stop: clients are told, open answers end, new questions and sessions are refused, then 1001."""
    async with running() as where, joined(where) as peer:
        await peer.ask("hold")
        drain = asyncio.create_task(where.server.drain(30))
        going = (await peer.until("session.going_away"))[-1]
        assert going["time_left_s"] == 30
        await peer.send(ask("one more?"))
        refused = (await peer.until("error"))[-1]["error"]
        with pytest.raises(InvalidStatus) as status:
            await connect(where.url, proxy=None)
        where.service.release()
        done = (await peer.until("response.done"))[-1]["response"]
        assert await closing(peer.socket) == 1001
        await drain
    assert refused["code"] == "going_away"
    assert status.value.response.status_code == 503
    assert done["status"] == "completed"


@on_loop
async def test_draining_cancels_what_takes_too_long() -> None:
    """When the time is up, an answer is cancelled and still ends with its response.done."""
    async with running() as where, joined(where) as peer:
        response_id = await peer.ask("hold")
        await where.server.drain(0)
        done = (await peer.until("response.done"))[-1]["response"]
        assert where.service.cancelled[0] == response_id
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "server_cancelled")


@on_loop
async def test_stopping_does_not_wait_for_those_who_say_nothing() -> None:
    """A connection without a request, or a client that does not answer the closing, cannot hold up the end."""
    async with running(options=ServerOptions(close_timeout_s=0.1)) as where:
        _, silent = await asyncio.open_connection(*where.address.split(":"))
        deaf = await deaf_client(where)
        async with asyncio.timeout(8):
            await where.server.drain(0)
        silent.close()
        deaf.close()


@on_loop
async def test_stopping_does_not_wait_for_those_who_do_not_read() -> None:
    """A client to whom nothing more can be sent is cut off."""
    names = [f"camera-{number}" for number in range(200)]
    options = ServerOptions(max_outgoing_bytes=1 << 30, close_timeout_s=0.1)
    async with running(*names, options=options) as where:
        stuck = await deaf_client(where)
        while where.service.looked < 400:  # more than 30 MB are sent: no system's buffers hold that
            stuck.write(frame('{"type":"stream.list"}'))
            await asyncio.sleep(0)
        async with asyncio.timeout(8):
            await where.server.drain(0)
        stuck.close()


def test_answers_for_a_loop_that_is_closed_are_dropped() -> None:
    """The engine outlives the server: what it says after the end must not hurt its thread."""
    with FakeService() as service:

        async def ask_and_go() -> None:
            async with Server(service, host="127.0.0.1", port=0, metrics=Metrics()) as server:
                async with joined(Running(server, service, WatchedMetrics())) as peer:
                    await peer.ask("hold")

        service.cancelled = ForgetfulList()
        asyncio.run(ask_and_go())
        service.release()


class ForgetfulList(list[str]):
    """Holds nothing, so that the fake service goes on answering after the cancellation."""

    def append(self, _: str) -> None:
        """Forget it."""


@on_loop
async def test_connections_are_counted() -> None:
    """livevlm_ws_connections follows the clients."""
    async with running() as where:
        async with joined(where):
            assert sample(where.metrics, "livevlm_ws_connections") == 1
        while sample(where.metrics, "livevlm_ws_connections"):
            await asyncio.sleep(0.001)
