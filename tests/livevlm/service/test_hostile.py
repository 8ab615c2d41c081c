"""Hostile input: whatever comes in, at the session or at the port, nothing falls over, nothing grows, and others are served."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import struct
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livevlm.service.conversation import MAX_ITEMS
from livevlm.service.server import ServerOptions
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.hostile import (
    ATTACKS,
    BROKEN_FRAMES,
    BROKEN_REQUESTS,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    UPGRADE,
    Attack,
    annoy,
    bad_frames,
    bad_request,
    check_said,
    close_code,
    connected,
    frame,
    frames,
    silence,
    still_served,
    talk,
    tampered,
    websocket,
)
from tests.livevlm.service.serving import Running, joined, message, on_loop, running
from tests.livevlm.service.test_server import sample

SMALL = ServerOptions(max_message_bytes=1 << 16, close_timeout_s=0.5)
MIB = 1 << 20


@settings(max_examples=200)
@given(st.randoms(use_true_random=False))
def test_almost_valid_events_never_make_a_session_raise(rng: random.Random) -> None:
    """Examples of the documented events, tampered with: each is answered, and every accepted question ends exactly once."""
    desk = Desk("front", "back")
    annoy(desk, rng, 8)
    while desk.open:
        desk.answer()
    kinds = [event["type"] for event in desk.said]
    created = Counter(e["response"]["id"] for e in desk.said if e["type"] == "response.created")
    done = Counter(e["response"]["id"] for e in desk.said if e["type"] == "response.done")
    assert created == done == Counter(asked.id for asked in desk.questions), kinds
    assert desk.session.open_questions == 0
    assert [event["seq"] for event in desk.said] == list(range(1, len(desk.said) + 1))


def test_a_session_stays_small_however_long_it_is_annoyed() -> None:
    """What a session remembers is bounded, whatever it is told: after its conversation is full it grows no more."""
    rng, desk = random.Random(5), Desk("front", "back")
    names = list(desk.statuses)
    item = {"type": "conversation.item.create", "item": message("x" * 16_000)}

    def turn() -> int:
        for _ in range(MAX_ITEMS + 10):
            desk.tell(item)
        annoy(desk, rng, 150)
        while desk.open:
            desk.answer()
        # What the table itself remembers of it is not the session's.
        for kept in (desk.said, desk.questions, desk.errands, desk.changes, desk.cancelled):
            kept.clear()
        desk.watches.orders.clear()
        desk.statuses[:] = names
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        turn()
        before = turn()
        after = [turn() for _ in range(3)][-1]
    finally:
        tracemalloc.stop()
    assert after - before < MIB
    assert desk.session.open_questions == 0


@on_loop
async def test_frames_that_break_the_rules_close_with_the_code_that_says_so() -> None:
    """Each of them is closed as RFC 6455 wants it, whatever stands behind it, and nobody else notices."""
    async with running(options=SMALL) as where, joined(where) as other:
        found: dict[str, int | None] = {}
        for name, (data, _) in BROKEN_FRAMES.items():
            raw = await websocket(where)
            await raw.send(data)
            found[name] = close_code(await raw.rest(end=False))
        await still_served(other)
    assert found == {name: code for name, (_, code) in BROKEN_FRAMES.items()}


@pytest.mark.parametrize("data", BROKEN_REQUESTS, ids=lambda data: repr(data[:30]))
@on_loop
async def test_a_broken_request_is_refused_or_dropped(data: bytes) -> None:
    """An answer that blames the client, or none; never a 500, never a traceback."""
    async with running(options=SMALL) as where, joined(where) as other:
        raw = await connected(where)
        await raw.send(data)
        got = await raw.rest()
        assert not got or got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), got
        await still_served(other)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@on_loop
async def test_others_are_served_under_attack(
    attack: Attack, caplog: pytest.LogCaptureFixture
) -> None:
    """Random bytes, broken frames, hostile events, pings and silence: no session but the attacker's own is touched."""
    with caplog.at_level(logging.ERROR):
        async with running("front", "back", options=SMALL) as where, joined(where) as other:
            for seed in range(12):
                await attack(where, random.Random(seed))
            await other.send({"type": "response.create", "response": {"livevlm": {}}})
            assert (await other.event())["type"] == "error"
    assert not caplog.records, "what a stranger sends is no error of ours"


@on_loop
async def test_a_request_that_never_ends_is_let_go() -> None:
    """A byte now and then does not keep a connection: the whole handshake has one limit. Others are served meanwhile."""
    options = ServerOptions(handshake_s=0.3)
    async with running(options=options) as where, joined(where) as other:
        slow = await connected(where)
        sent = 0
        while not slow.reader.at_eof() and sent < 10_000:
            await slow.send(b"G" if sent == 0 else b"E")
            sent += 1
            try:
                async with asyncio.timeout(0.02):
                    assert await slow.reader.read(100) == b""
            except TimeoutError:
                continue
            except OSError:
                break
            break
        assert sent < 10_000
        slow.writer.close()
        await still_served(other)


@on_loop
async def test_many_who_say_nothing_keep_nobody_out() -> None:
    """A hundred silent connections cost their sockets alone, and not for long."""
    options = ServerOptions(handshake_s=0.3)
    async with running(options=options) as where, joined(where) as other:
        silent = [await connected(where) for _ in range(100)]
        await still_served(other)
        async with joined(where) as late:
            await still_served(late)
        for raw in silent:
            assert await raw.rest(end=False) == b""
        await still_served(other)


@on_loop
async def test_pings_are_answered_and_hold_nobody_up() -> None:
    """A client that pings thousands of times is answered in order, and so is everybody else."""
    async with running(options=SMALL) as where, joined(where) as other:
        raw = await websocket(where)
        reading = asyncio.create_task(raw.rest(end=False))
        for number in range(2000):
            await raw.send(frame(PING, str(number).encode()))
        await still_served(other)
        await raw.send(frame(8, struct.pack("!H", 1000)))
        pongs = [int(body) for opcode, body in frames(await reading) if opcode == PONG]
    assert pongs[-1] == 1999
    assert pongs == sorted(set(pongs))


@on_loop
async def test_pings_without_reading_do_not_fill_the_memory() -> None:
    """Answers to pings pile up where nobody reads them: such a client is one that reads too slowly, and is cut off."""
    options = ServerOptions(close_timeout_s=0.1, notice_s=0.01)
    async with running(options=options) as where, joined(where) as other:
        raw = await websocket(where)
        raw.writer.transport.pause_reading()
        flood = frame(PING, bytes(125)) * 1000
        while not where.metrics.slow_clients:
            await raw.send(flood)
            await asyncio.sleep(0)
        while sample(where.metrics, "livevlm_ws_connections") > 1:
            await asyncio.sleep(0.001)
        raw.writer.transport.abort()
        await still_served(other)


@on_loop
async def test_nothing_grows_over_rounds_of_attacks() -> None:
    """Whatever hostile connections leave behind, the next ones leave no more."""
    rng = random.Random(11)

    async def turn(where: Running) -> int:
        for _ in range(3):
            for attack in (bad_request, bad_frames, talk, silence):
                await attack(where, rng)
        async with asyncio.timeout(30):
            while sample(where.metrics, "livevlm_ws_connections") > 1:
                await asyncio.sleep(0.001)
        for kept in (where.service.questions, where.service.errands, where.service.made):
            kept.clear()
        where.service.cancelled.clear()
        where.service.watches.orders.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    async with running("front", "back", options=SMALL) as where, joined(where) as other:
        tracemalloc.start()
        try:
            await turn(where)
            before = await turn(where)
            after = [await turn(where) for _ in range(2)][-1]
        finally:
            tracemalloc.stop()
        await still_served(other)
    assert after - before < MIB


def test_what_is_thrown_is_hostile() -> None:
    """The attacks are not tame by accident: most of what is drawn is refused, some of it gets through."""
    rng, desk = random.Random(2), Desk("front", "back")
    annoy(desk, rng, 300)
    kinds = Counter(event["type"] for event in desk.said)
    assert kinds["error"] > 60
    assert kinds["response.created"] > 3
    assert len({event["error"]["code"] for event in desk.said if event["type"] == "error"}) > 4
    assert tampered(random.Random(1), {"type": "ping"}) != {"type": "ping"}
    check_said(desk.tell(json.dumps({"type": "ping"})))
    assert UPGRADE.endswith(b"\r\n\r\n")
    assert (FIN | RSV1 | TEXT) == 0xC1
