"""What a client can do, over a socket and in this process alike."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from livevlm.changes import AddStream, PauseStream, RemoveStream, ResumeStream
from livevlm.errors import (
    ConfigError,
    LiveVLMError,
    NoFramesYet,
    NotErased,
    QueueFull,
    StreamExists,
    StreamNotFound,
    WatchExists,
    WatchNotFound,
)
from livevlm.messages import Answer, AnswerChunk, Forget, Recalled, Search, TimeRange
from livevlm.service.options import AskOptions
from livevlm.watching.orders import DropWatch, ListWatches, MakeWatch
from livevlm.watching.watch import Rule, WatchRequest
from tests.livevlm.client.both import both, talking
from tests.livevlm.service.fake_service import AS_OF, evidence
from tests.livevlm.service.serving import on_loop


@both
@on_loop
async def test_an_answer_arrives_piece_by_piece(way: str) -> None:
    """First what was recalled, then the text as it grows, then the whole answer with everything known about it."""
    async with talking(way) as (client, _):
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


@both
@on_loop
async def test_the_whole_answer_can_be_waited_for(way: str) -> None:
    """Whoever does not care for the pieces gets the end; questions may run in parallel."""
    async with talking(way, "front", "back", stream="back") as (client, _):
        replies = [client.ask(f"question {number}") for number in range(5)]
        texts = [(await reply).text for reply in reversed(replies)]
        assert replies[0].stream == "back"
    assert texts == [f"You asked: question {number}" for number in (4, 3, 2, 1, 0)]


@both
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
async def test_wishes_arrive_as_they_were_meant(way: str, time: TimeRange) -> None:
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
    async with talking(way) as (client, service):
        reply = client.ask("what?", stream="front", time=time, options=options)
        answer = await reply
        (asked,) = service.questions
    assert asked.time == time
    assert asked.text == "Be brief.\n\nwhat?"
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.seed) == (5, 0.5, 0.9, 3)
    assert (asked.max_evidence, asked.deadline_s) == (0, 2.5)
    assert answer.evidence == ()


@both
@on_loop
async def test_an_answer_can_be_cancelled(way: str) -> None:
    """It ends with what it had; cancelling again does nothing."""
    async with talking(way) as (client, _):
        reply = client.ask("hold")
        reply.cancel()
        answer = await reply
        reply.cancel()
        await client.ping()
    assert (answer.status, answer.text) == ("cancelled", "You ")


@both
@on_loop
async def test_asking_may_be_given_up(way: str) -> None:
    """Whoever stops waiting for the acceptance leaves no answer behind, and the session goes on."""
    async with talking(way) as (client, service):
        reply = client.ask("hold")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):  # it is not yet accepted
                await reply
        await client.ping()
        await asyncio.to_thread(service.wait_for, lambda: bool(service.cancelled))
        assert [service.questions[0].id] == service.cancelled


@both
@on_loop
async def test_refusals_are_the_daemons_errors(way: str) -> None:
    """What the daemon refuses raises the error of its code, with the exit code that commands return."""
    async with talking(way, "front", "back", stream="front") as (client, _):
        with pytest.raises(StreamNotFound, match="front, back") as unknown:
            await client.ask("what?", stream="side")
        with pytest.raises(QueueFull):
            await client.ask("full")
        with pytest.raises(LiveVLMError, match="empty") as empty:
            await client.ask(" ")
        assert (await client.ask("what?")).status == "completed"
    assert (unknown.value.exit_code, empty.value.exit_code) == (5, 2)
    assert (empty.value.code, empty.value.kind) == ("invalid_value", "invalid_request_error")


@both
@on_loop
async def test_a_failed_answer_keeps_its_reason(way: str) -> None:
    """Awaiting it raises the error; iterating shows the answer as it ended."""
    async with talking(way) as (client, _):
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


@both
@on_loop
async def test_the_status_is_what_the_service_knows(way: str) -> None:
    """Version, model, readiness and every stream's state."""
    async with talking(way, "front", "back") as (client, service):
        assert client.streams == ["front", "back"]
        status = await client.status()
        assert status.streams == service.statuses
    assert (status.version, status.model, status.ready) == ("0.0.test", "fake", True)


@both
@on_loop
async def test_an_answer_can_be_read_as_text(way: str) -> None:
    """Pieces that join up to the answer; what went wrong is raised in the end, and who stops reading has it cancelled."""
    async with talking(way) as (client, service):
        pieces = [piece async for piece in client.ask("many 5").pieces()]
        assert "".join(pieces) == "0 1 2 3 4 "
        with pytest.raises(NoFramesYet):
            _ = [piece async for piece in client.ask("nothing yet").pieces()]
        half = client.ask("hold").pieces()
        assert await anext(half) == "You "
        await half.aclose()
        await asyncio.to_thread(service.wait_for, lambda: bool(service.cancelled))


@both
@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ({"last": "2h"}, TimeRange(last_s=7200.0)),
        ({"last": timedelta(minutes=5)}, TimeRange(last_s=300.0)),
        ({"from_": 5, "to": 8.5}, TimeRange(from_s=5, to_s=8.5)),
        ({"at": 15}, TimeRange(from_s=12.5, to_s=17.5)),
        (
            {"from_": datetime(2026, 9, 21, 14, tzinfo=UTC), "to": "2026-09-21T16:10:00+02:00"},
            TimeRange(from_s=1_789_999_200.0, to_s=1_789_999_800.0, utc=True),
        ),
        ({"time": TimeRange(to_s=3)}, TimeRange(to_s=3)),
        ({}, None),
    ],
)
@on_loop
async def test_times_are_what_people_write(
    way: str, when: dict[str, object], meant: TimeRange | None
) -> None:
    """Asking, searching and forgetting understand them alike."""
    async with talking(way) as (client, service):
        await client.ask("what?", **when)
        await client.search("a cup", limit=3, **when)
        assert service.questions[0].time == meant
        assert service.errands == [Search(stream="front", text="a cup", time=meant, limit=3)]
        if meant is None:
            with pytest.raises(ValueError, match="say what is to be forgotten"):
                await client.forget(**when)
            await client.forget("all")
        else:
            await client.forget(**when)
        assert service.errands[-1] == Forget(stream="front", time=meant)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"last": "soon"}, "last"),
        ({"last": 5, "at": 3}, "one of"),
        ({"from_": datetime(2026, 9, 21)}, "no zone"),
        ({"time": TimeRange(to_s=3), "last": 3}, "either"),
        ({"from_": 3, "to": 2}, "before it begins"),
    ],
)
@on_loop
async def test_times_that_mean_nothing_are_refused_at_once(
    when: dict[str, object], said: str
) -> None:
    """Before anything is sent."""
    async with talking("process") as (client, service):
        with pytest.raises(ValueError, match=said):
            client.ask("what?", **when)
        assert service.questions == []


@both
@on_loop
async def test_memory_is_measured_searched_and_forgotten(way: str) -> None:
    """And what cannot be done is the error that it is."""
    async with talking(way, "front", "back") as (client, _):
        sizes = await client.memory_stats()
        assert [size.stream for size in sizes] == ["front", "back"]
        assert (await client.search("a cup", stream="back")).spans
        assert (await client.forget("all", stream="back")).frames > 0
        with pytest.raises(StreamNotFound):
            await client.memory_stats(stream="nowhere")
        with pytest.raises(NotErased):
            await client.forget(stream="front", from_=13)
        with pytest.raises(QueueFull):
            await client.search("full", stream="front")


@both
@on_loop
async def test_streams_come_and_go(way: str) -> None:
    """Changed by one call each; who has subscribed is told."""
    async with talking(way) as (client, service):
        await client.subscribe("stream")
        added = await client.add_stream("yard", "rtsp://me:hunter2@camera/x", fps=0.5)
        assert (added.name, added.source) == ("yard", "rtsp://***@camera/x")
        assert (await client.pause_stream("yard")).state == "paused"
        assert (await client.resume_stream("yard")).state == "live"
        told = client.changes()
        assert (await anext(told)).name == "yard"
        await client.remove_stream("yard", forget=True)
        while (await anext(told)).what != "removed":
            pass
        with pytest.raises(StreamExists):
            await client.add_stream("front", "test:")
        with pytest.raises(ConfigError, match="fsp"):
            await client.add_stream("yard", "test:", fsp=0.5)
        with pytest.raises(StreamNotFound):
            await client.pause_stream("nowhere")
    add, *others = service.made[:4]
    assert isinstance(add, AddStream)
    assert add.settings.fps == 0.5
    assert others == [
        PauseStream(name="yard"),
        ResumeStream(name="yard"),
        RemoveStream(name="yard", forget=True),
    ]


@both
@on_loop
async def test_a_watch_is_iterated_over(way: str) -> None:
    """What it tells, until it is over; then it is deleted with the client, unless it is kept."""
    async with talking(way) as (client, service):
        service.watches.script = ("triggered", "cleared", "expired")
        wishes = {"name": "car", "cooldown": "5m", "confirm": 2, "threshold": 0.75, "lasts": "8h"}
        watching = client.watch("a red car", stream="front", **wishes)
        assert [event.change async for event in watching] == ["triggered", "cleared", "expired"]
        assert (await watching).watch.request.name == "car"
        service.watches.script = ("triggered",)
        kept = client.watch("a cat", once=True, keep=True)
        assert [event.watch.request.condition async for event in kept] == ["a cat"]
        with pytest.raises(WatchExists):
            await client.watch("a dog", name="car")
        assert [one.watch.id for one in await client.watches()] == ["watch_1", "watch_2"]
    assert service.watches.orders[0] == MakeWatch(
        WatchRequest(
            stream="front",
            condition="a red car",
            name="car",
            rule=Rule(cooldown_s=300.0, confirm_n=2, threshold=0.75),
            lasts_s=28_800.0,
        )
    )
    assert service.watches.orders[-2:] == [ListWatches(), DropWatch("watch_1")]


@both
@on_loop
async def test_a_watch_can_be_left_and_deleted(way: str) -> None:
    """By `async with`, by its id or by its name; who iterates over one that somebody deleted comes to an end."""
    async with talking(way) as (client, service):
        async with client.watch("a star") as watching:
            assert watching.status is not None
            await asyncio.to_thread(service.watches.tell, "triggered")
            assert (await anext(watching)).change == "triggered"
        assert await client.watches() == ()
        other = client.watch("a circle", name="round")
        await other
        gone = await client.unwatch("round")
        assert gone.watch.request.condition == "a circle"
        assert [event async for event in other] == []
        with pytest.raises(WatchNotFound):
            await client.unwatch("round")
        with pytest.raises(ValueError, match="threshold"):
            client.watch("a star", threshold=2.0)
        with pytest.raises(StreamNotFound):
            await anext(client.watch("a star", stream="nowhere"))


@both
@on_loop
async def test_nobody_hears_of_what_is_not_its_own(way: str) -> None:
    """A watch tells the client that made it, and those that have subscribed."""
    async with talking(way) as (client, service):
        await client.watch("a star", keep=True)
        await client.subscribe("watch")
        await asyncio.to_thread(service.watches.tell, "triggered")
        event = await anext(client.watch_events())
        assert (event.change, event.watch.request.condition) == ("triggered", "a star")
