"""What is thrown at the daemon's port: events that are almost valid, bytes that are almost HTTP, frames that break the rules.

All of it is drawn from a random.Random, so that a failure can be had again. `test_hostile` throws some, `fuzz` goes on for as
long as it is told.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.livevlm.service.desk import Desk
from tests.livevlm.service.serving import Event, Peer, Running, ask
from tests.livevlm.service.test_protocol_docs import examples

TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FIN, RSV1, MASKED = 0x80, 0x40, 0x80
EXAMPLES: tuple[Event, ...] = tuple(event for side, event in examples() if side == "client")
WORDS = ("front", "back", "fail", "all", "resp_1", "inf", "1h30m", "none", "2026-01-31T10:00:00Z")
DEEP = json.loads("[" * 200 + "]" * 200)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 0.5, -0.0, 1e308, 5e-324, 2**63, 10**30, -(10**400)),
    *(float("nan"), float("inf"), "", " ", "\x00", "\ud800", "\udc00\ud800", "ü" * 200, "x" * 20_000),
    *([], {}, [None], [[]], {"": {}}, {"type": "message"}, ["front", "back"], DEEP, *WORDS),
)  # fmt: skip
TEXTS = (
    *("", " ", "null", "[]", "{}", '"', "{", "\ufeff{}", "NaN", "-", '{"type":', "[" * 100_000),
    '{"type": "ping", "type": "response.create"}',
    '{"type": "ping", "event_id": "a", "event_id": {"b": 1}}',
    '{"type": "ping", "x": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
    '{"type": "ping", "x": ' + "9" * 100_000 + "}",
    '{"type": "ping", "x": 1e999999}',
    '{"type": "pi\\ud800ng"}',
    '{"type": "' + "p" * 100_000 + '"}',
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value: what it is in, and its key or index there."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def tampered(rng: random.Random, event: Event) -> Event:
    """The event with some of its fields made into something else, taken away, or put where they do not belong."""
    changed: Event = json.loads(json.dumps(event))
    for _ in range(rng.randint(1, 3)):
        found = list(places(changed))
        if not found:
            break
        inside, key = rng.choice(found)
        match rng.randrange(4):
            case 0 if isinstance(inside, dict):
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[rng.choice(WORDS)] = deepcopy(rng.choice(VALUES))
            case 2:
                inside[key] = [inside[key]]
            case _:
                inside[key] = deepcopy(rng.choice(VALUES))
    return changed


def garbled(rng: random.Random, text: str) -> str:
    """The text with pieces cut out, doubled, or overwritten."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.randint(0, 12))
        piece = rng.choice(
            ('"', "{", "}", "\\", "\\u", "\x00", "9" * 30, "NaN", text[start:end] * 2)
        )
        text = text[:start] + piece + text[end:]
    return text


def hostile_text(rng: random.Random) -> str:
    """A message that a client should not send, or just may."""
    if rng.randrange(8) == 0:
        return rng.choice(TEXTS)
    event = rng.choice(EXAMPLES)
    event = tampered(rng, event) if rng.randrange(6) else event
    text = json.dumps(event, ensure_ascii=rng.random() < 0.9)
    return garbled(rng, text) if rng.randrange(4) == 0 else text


def check_said(said: list[Event]) -> None:
    """A client hears something about whatever it sends: whole events, and errors that are short and complete."""
    assert said
    for event in said:
        assert {"type", "event_id", "seq", "ts"} <= set(event)
        if event["type"] == "error":
            error = event["error"]
            assert {"type", "code", "message", "param", "event_id"} <= set(error)
            assert 0 < len(error["message"]) < 1000, error
            assert "Traceback" not in error["message"]


def annoy(desk: Desk, rng: random.Random, count: int) -> None:
    """Say so many hostile things to a session; whatever it accepts is answered now and then."""
    for _ in range(count):
        cancelled = len(desk.cancelled)
        said = desk.tell(hostile_text(rng))
        # A cancellation is answered by the answer's end alone.
        if len(desk.cancelled) == cancelled:
            check_said(said)
        if desk.open and rng.randrange(3) == 0:
            desk.answer(rng.choice(list(desk.open)))


def frame(opcode: int, data: bytes = b"", *, first: int = FIN, mask: bool = True) -> bytes:
    """A client's frame; its mask is zero. first: the bits beside the opcode."""
    bit = MASKED if mask else 0
    if len(data) < 126:
        head = struct.pack("!BB", first | opcode, bit | len(data))
    elif len(data) < 1 << 16:
        head = struct.pack("!BBH", first | opcode, bit | 126, len(data))
    else:
        head = struct.pack("!BBQ", first | opcode, bit | 127, len(data))
    return head + (bytes(4) if mask else b"") + data


# What breaks the websocket's rules, and the code that the connection is to be closed with.
BROKEN_FRAMES: dict[str, tuple[bytes, int]] = {
    "unmasked": (frame(TEXT, b"{}", mask=False), 1002),
    "reserved opcode": (frame(3, b"{}"), 1002),
    "compressed, which was not agreed": (frame(TEXT, b"\xaa\x56\x4a", first=FIN | RSV1), 1002),
    "continuation of nothing": (frame(CONTINUED, b"{}"), 1002),
    "a second beginning": (frame(TEXT, b"{", first=0) + frame(TEXT, b"}"), 1002),
    "long ping": (frame(PING, bytes(126)), 1002),
    "ping in pieces": (frame(PING, b"x", first=0), 1002),
    "close code of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close code that none may send": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    "close reason that is no text": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "no text": (frame(TEXT, b'{"type": "\xff"}'), 1007),
    "half a letter": (frame(TEXT, b"\xc3", first=0) + frame(CONTINUED, b"(" * 4), 1007),
    "a surrogate in UTF-8": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "a length of 2**63": (struct.pack("!BBQ", FIN | TEXT, MASKED | 127, 2**63 - 1) + bytes(4), 1009),
    "pieces without end": (
        frame(TEXT, b"{", first=0) + frame(CONTINUED, b" " * 60_000, first=0) * 20,
        1009,
    ),
    "nothing, in pieces without end": (
        frame(TEXT, first=0) + frame(CONTINUED, first=0) * 8000,
        1009,
    ),
}  # fmt: skip
BROKEN_REQUESTS: tuple[bytes, ...] = (
    *(b"\r\n\r\n", b"\n\n", b"\x00" * 64, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"* / *\r\n\r\n"),
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nOrigin: \xff\xfe\r\n\r\n",
    b"GET /v1/frames/front/%ff.jpg?at=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/frames/front?at=" + b"9" * 4000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /v1/status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT example.org:80 HTTP/1.1\r\n\r\n",
    b"GET /v1/realtime HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: \xff\r\n\r\n",
    b"GET /v1/realtime?stream=" + b"%ff" * 1000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
)  # fmt: skip
UPGRADE = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)


@dataclass
class Raw:
    """A connection spoken by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def upgrade(self) -> None:
        """Become a websocket. What was offered beside is not taken."""
        self.writer.write(UPGRADE)
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert b"Sec-WebSocket-Extensions" not in head

    async def send(self, data: bytes) -> None:
        """Send it all, as fast as it is taken; the server may close meanwhile."""
        with suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def rest(self, *, end: bool = True) -> bytes:
        """Say that nothing more comes, where so wanted, and read what the server says until it closes."""
        with suppress(OSError):
            if end:
                self.writer.write_eof()
        got = b""
        with suppress(OSError):
            while data := await self.reader.read(1 << 16):
                got += data
        self.writer.close()
        assert b"Traceback" not in got
        assert b'File "' not in got
        return got


async def connected(where: Running) -> Raw:
    """A connection that has said nothing yet."""
    host, port = where.address.split(":")
    return Raw(*await asyncio.open_connection(host, int(port)))


async def websocket(where: Running) -> Raw:
    """A connection that has become a websocket."""
    raw = await connected(where)
    await raw.upgrade()
    return raw


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The server's frames, each with its opcode; the last one may be cut off and is left out then."""
    found: list[tuple[int, bytes]] = []
    while len(data) >= 2:
        length, at = data[1], 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + length:
            break
        found.append((data[0] & 15, data[at : at + length]))
        data = data[at + length :]
    return found


def close_code(data: bytes) -> int | None:
    """The code that the server closed with; None where it did not."""
    codes = [int.from_bytes(body[:2], "big") for opcode, body in frames(data) if opcode == CLOSE]
    return codes[0] if codes else None


async def bad_request(where: Running, rng: random.Random) -> None:
    """Something that is no request, or one that cannot be answered: a 4xx, or nothing at all."""
    raw = await connected(where)
    kind = rng.randrange(3)
    if kind == 0:
        await raw.send(rng.randbytes(rng.randint(1, 3000)))
    else:
        request = bytearray(rng.choice((*BROKEN_REQUESTS, UPGRADE)))
        for _ in range(rng.randint(0, 4)):
            request[rng.randrange(len(request))] = rng.randrange(256)
        await raw.send(bytes(request))
    got = await raw.rest()
    if got:
        assert got.startswith(b"HTTP/1.1 "), got
        assert b" 500 " not in got[:20], got


async def bad_frames(where: Running, rng: random.Random) -> None:
    """Frames that break the rules, or random bytes in their place: events, or a close code that says why."""
    raw = await websocket(where)
    for _ in range(rng.randint(1, 4)):
        match rng.randrange(4):
            case 0:
                await raw.send(rng.randbytes(rng.randint(1, 500)))
            case 1:
                await raw.send(rng.choice(list(BROKEN_FRAMES.values()))[0])
            case 2:
                await raw.send(frame(rng.choice((TEXT, BINARY, PING, PONG)), rng.randbytes(50)))
            case _:
                text = hostile_text(rng).encode(errors="replace")
                await raw.send(frame(TEXT, text))
    got = await raw.rest()
    assert close_code(got) in (None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 4400, 4429), got
    for opcode, body in frames(got):
        if opcode == TEXT:
            check_said([json.loads(body)])


async def talk(where: Running, rng: random.Random) -> None:
    """A well-behaved websocket that says hostile things, and leaves in the midst of them."""
    raw = await websocket(where)
    texts = [hostile_text(rng).encode(errors="replace") for _ in range(rng.randint(1, 10))]
    await raw.send(b"".join(frame(TEXT, text) for text in texts))
    if rng.randrange(2):
        raw.writer.transport.abort()
    else:
        await raw.rest()


async def pings(where: Running, rng: random.Random) -> None:
    """Thousands of pings, each answered."""
    raw = await websocket(where)
    count = rng.randint(1000, 3000)
    reading = asyncio.create_task(raw.rest(end=False))
    await raw.send(frame(PING, b"ping") * count + frame(CLOSE, struct.pack("!H", 1000)))
    got = await reading
    answers = [body for opcode, body in frames(got) if opcode == PONG]
    # The newest ping's pong may answer for those before it.
    assert answers
    assert set(answers) == {b"ping"}


async def silence(where: Running, rng: random.Random) -> None:
    """Connections that say nothing, or half a request, and go."""
    raws = [await connected(where) for _ in range(rng.randint(5, 20))]
    for raw in raws:
        await raw.send(UPGRADE[: rng.randrange(len(UPGRADE))])
    for raw in raws:
        raw.writer.close()


Attack = Callable[[Running, random.Random], Awaitable[None]]
ATTACKS: tuple[Attack, ...] = (bad_request, bad_frames, talk, pings, silence)


async def still_served(peer: Peer) -> None:
    """Somebody else's question is answered as ever."""
    await peer.send(ask("still there?", streams=["front"]))
    done = (await peer.until("response.done"))[-1]
    assert done["response"]["status"] == "completed", done
