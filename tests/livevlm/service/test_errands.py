"""memory.*: sizes, searching and forgetting over the protocol, the socket and the client."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livevlm.client import connect
from livevlm.errors import ConfigError, NoFramesYet, NotErased, QueueFull, StreamNotFound
from livevlm.messages import (
    Forget,
    Forgotten,
    Found,
    Measure,
    Measured,
    MemorySize,
    Search,
    TimeRange,
)
from livevlm.service.errands import read_forgotten, read_found, read_sizes, result_json
from livevlm.service.protocol import SessionOptions
from livevlm.service.wire import encode, read_object
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.fake_service import AS_OF, evidence, memory_size
from tests.livevlm.service.serving import Event, joined, on_loop, running
from tests.livevlm.service.test_wire import AS_OFS, COUNTS, NAMES, SECONDS, SPANS, TEXTS

SIZES = st.builds(
    MemorySize,
    stream=NAMES,
    as_of=st.none() | AS_OFS,
    tokens=st.dictionaries(TEXTS, COUNTS, max_size=4),
    device_bytes=COUNTS,
    host_bytes=COUNTS,
    disk_bytes=COUNTS,
    evicted_tokens=COUNTS,
    pictures=COUNTS,
    from_s=st.none() | SECONDS,
    to_s=st.none() | SECONDS,
    error=st.none() | TEXTS,
)


def read(event: Event) -> dict[str, Any]:
    """An event's own fields as they arrive."""
    return dict(read_object(encode(event)))


@settings(deadline=None)
@given(st.lists(SIZES, max_size=3).map(tuple))
def test_sizes_can_be_read_back(sizes: tuple[MemorySize, ...]) -> None:
    """What the daemon knows of its memories is what a client learns."""
    kind, fields = result_json(Measured(memories=sizes))
    assert (kind, read_sizes(read(fields))) == ("memory.stats", sizes)


@settings(deadline=None)
@given(NAMES, AS_OFS, st.lists(SPANS, max_size=3).map(tuple))
def test_what_was_found_can_be_read_back(stream: str, as_of: Any, spans: Any) -> None:
    """Spans with their pictures."""
    found = Found(stream=stream, as_of=as_of, spans=spans)
    kind, fields = result_json(found)
    assert (kind, read_found(read(fields))) == ("memory.found", found)


@settings(deadline=None)
@given(
    st.builds(Forgotten, stream=NAMES, device_tokens=COUNTS, archive_tokens=COUNTS, frames=COUNTS)
)
def test_what_was_forgotten_can_be_read_back(forgotten: Forgotten) -> None:
    """The counts."""
    kind, fields = result_json(forgotten)
    assert (kind, read_forgotten(read(fields))) == ("memory.cleared", forgotten)


def test_numbers_that_json_cannot_hold_become_null() -> None:
    """An infinite time must not make an event unsendable."""
    odd = MemorySize(
        stream="a", as_of=None, tokens={}, device_bytes=0, host_bytes=0, disk_bytes=0, evicted_tokens=0,
        pictures=0, from_s=math.nan, to_s=math.inf,
    )  # fmt: skip
    (size,) = read_sizes(read(result_json(Measured(memories=(odd,)))[1]))
    assert (size.from_s, size.to_s) == (None, None)


@pytest.mark.parametrize("stream", [None, "front"])
def test_the_engine_gets_the_errand_that_is_meant(stream: str | None) -> None:
    """With the only stream where none is named, and every field in its place."""
    desk = Desk()
    named = {} if stream is None else {"stream": stream}
    desk.tell({"type": "memory.stats", **named})
    desk.tell({"type": "memory.search", "query": "a cup", "time": {"last": "90s"}, "k": 3, **named})
    desk.tell({"type": "memory.search", "query": "a cup", **named})
    desk.tell({"type": "memory.clear", "time": {"from": 3, "to": 4}, **named})
    desk.tell({"type": "memory.clear", "time": "all", **named})
    assert desk.errands == [
        Measure(stream=stream),
        Search(stream="front", text="a cup", time=TimeRange(last_s=90), limit=3),
        Search(stream="front", text="a cup", time=None, limit=8),
        Forget(stream="front", time=TimeRange(from_s=3, to_s=4)),
        Forget(stream="front", time=None),
    ]


def test_the_session_s_stream_is_searched_and_cleared() -> None:
    """The default of questions is the default of errands too; sizes are told of all."""
    desk = Desk("front", "back", options=SessionOptions(stream="back"))
    (told,) = desk.tell({"type": "memory.stats"})
    desk.tell({"type": "memory.search", "query": "a cup"})
    assert [size["stream"] for size in told["memories"]] == ["front", "back"]
    assert desk.errands[-1].stream == "back"


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "memory.clear"}, "invalid_value", "time"),
        ({"type": "memory.clear", "time": {}}, "invalid_value", "time"),
        ({"type": "memory.clear", "time": "everything"}, "invalid_value", "time"),
        ({"type": "memory.clear", "time": {"from": 5, "to": 4}}, "invalid_value", "time"),
        ({"type": "memory.clear", "time": {"form": 5}}, "invalid_value", "time.form"),
        ({"type": "memory.clear", "time": {"from": 5, "too": 6}}, "invalid_value", "time.too"),
        ({"type": "memory.clear", "time": "all", "stream": "no"}, "stream_not_found", "stream"),
        ({"type": "memory.clear", "time": "all", "stream": ""}, "stream_not_found", "stream"),
        ({"type": "memory.search"}, "invalid_value", "query"),
        ({"type": "memory.search", "query": "  "}, "invalid_value", "query"),
        ({"type": "memory.search", "query": "a", "k": 0}, "invalid_value", "k"),
        ({"type": "memory.search", "query": "a", "k": True}, "invalid_value", "k"),
        ({"type": "memory.stats", "stream": "no"}, "stream_not_found", "stream"),
    ],
)
def test_what_is_not_clear_is_refused(event: Event, code: str, param: str) -> None:
    """Above all nothing is forgotten because a field was left out or misspelt."""
    desk = Desk()
    (said,) = desk.tell({"event_id": "mine", **event})
    error = said["error"]
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
    assert desk.errands == []


@pytest.mark.parametrize("kind", ["memory.clear", "memory.search"])
def test_one_of_several_streams_has_to_be_named(kind: str) -> None:
    """Nothing is guessed; the streams are listed."""
    desk = Desk("front", "back")
    (said,) = desk.tell({"type": kind, "query": "a", "time": {"last": 5}})
    assert "front, back" in said["error"]["message"]
    assert desk.errands == []


def test_errands_are_refused_while_the_model_loads_and_when_the_daemon_stops() -> None:
    """As questions are."""
    desk = Desk()
    desk.is_ready = False
    loading = desk.tell({"type": "memory.stats"})[0]["error"]["code"]
    desk.is_ready = True
    desk.perform(desk.session.going_away(time_left_s=1, reason="the end"))
    stopping = desk.tell({"type": "memory.stats"})[0]["error"]["code"]
    assert (loading, stopping, desk.errands) == ("model_loading", "going_away", [])


def test_errands_count_among_a_client_s_questions() -> None:
    """One client cannot fill the engine's queue; what is done makes room again."""
    desk = Desk(options=SessionOptions(max_questions=1))
    for _ in range(3):
        assert desk.tell({"type": "memory.stats"})[0]["type"] == "memory.stats"
    desk.session.receive('{"type": "memory.stats"}')  # nobody runs it
    assert desk.session.open_questions == 1
    assert desk.tell({"type": "memory.stats"})[0]["error"]["code"] == "queue_full"


@on_loop
async def test_a_client_asks_searches_and_forgets() -> None:
    """Over a real socket, and the results are typed."""
    async with running("front", "back") as where, connect(where.address) as client:
        both, one = await client.memory_stats(), await client.memory_stats(stream="back")
        found = await client.search(
            "a cup", stream="front", time=TimeRange(from_s=1, to_s=9), limit=4
        )
        forgotten = await client.forget(TimeRange(from_s=1.5, utc=True), stream="front")
        await client.forget("all", stream="back")
        errands = list(where.service.errands)
    assert both == (memory_size("front"), memory_size("back"))
    assert one == (memory_size("back"),)
    assert found == Found(stream="front", as_of=AS_OF, spans=(evidence("front"),))
    assert (forgotten.device_tokens, forgotten.archive_tokens, forgotten.frames) == (320, 960, 60)
    assert errands == [
        Measure(),
        Measure(stream="back"),
        Search(stream="front", text="a cup", time=TimeRange(from_s=1, to_s=9), limit=4),
        Forget(stream="front", time=TimeRange(from_s=1.5, utc=True)),
        Forget(stream="back", time=None),
    ]


@on_loop
async def test_what_goes_wrong_is_the_error_that_it_is() -> None:
    """Refused by the session, refused by the service, failed on its thread."""
    async with running() as where, connect(where.address) as client:
        with pytest.raises(StreamNotFound):
            await client.memory_stats(stream="nowhere")
        with pytest.raises(QueueFull):
            await client.search("full")
        with pytest.raises(NoFramesYet):
            await client.search("nothing yet")
        with pytest.raises(ConfigError, match="query"):
            await client.search(" ")
        with pytest.raises(NotErased):
            await client.forget(TimeRange(from_s=13))
        assert (await client.search("a cup")).spans


@on_loop
async def test_draining_waits_for_errands() -> None:
    """Whoever asked to have something forgotten before the end hears that it is."""
    async with running() as where, joined(where) as peer:
        await peer.send({"type": "memory.search", "query": "hold", "event_id": "mine"})
        await peer.send({"type": "ping"})
        await peer.until("pong")
        drain = asyncio.create_task(where.server.drain(30))
        await peer.until("session.going_away")
        where.service.release()
        found = (await peer.until("memory.found"))[-1]
        await drain
    assert found["client_event_id"] == "mine"


@on_loop
async def test_a_client_that_left_is_told_nothing_and_does_no_harm() -> None:
    """Its errand is run, its result dropped."""
    async with running() as where:
        async with joined(where) as peer:
            await peer.send({"type": "memory.search", "query": "hold"})
            await peer.send({"type": "ping"})
            await peer.until("pong")
        where.service.release()
        async with connect(where.address) as client:
            assert await client.memory_stats()
