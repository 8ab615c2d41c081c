"""Many clients of one daemon in one process: each asks, thinks and asks again, in the manner that its number gives it.

Most wait for the end of every answer. Some ask three things at once, some cancel in mid-answer, some leave then (with a good
bye, or without) and come back; the last one stops reading. Prints a line of JSON when all are connected and one with what was
counted in the end. `livevlm bench load` starts it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from livevlm.bench.loadtally import Asked, Event, Line, Tally, figures
from livevlm.bench.loadwatch import page, slow_closes

Manner = Literal["patient", "many", "cancels", "leaves", "vanishes", "deaf"]
# By the last digits of a client's number; the others are patient.
MANNERS: dict[int, Manner] = {4: "many", 9: "cancels", 14: "leaves", 19: "vanishes"}
QUESTIONS = (
    "what do you see?",
    "what is on the left?",
    "how many things are there?",
    "which colour is the newest thing?",
    "what happened here, from the beginning to the end?",
)
TIMES: tuple[Event | None, ...] = (None, None, {"last": 10}, {"last": "1m"}, {"from": 0, "to": 8})
LENGTHS = (8, 16, 32, 64)
AT_ONCE = 3
PULSE_S, PATIENCE_S = 5.0, 60.0
RETRY_S, TRIES = 1.0, 20
# A client that does not read makes the daemon repeat long messages of its own, so that its outbox is full soon.
ECHO = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "ü" * 16_000}],
}
ECHO_EVERY_S = 0.05
SLOW_S = 60.0


def manner(number: int, clients: int) -> Manner:
    """How a client behaves, of 0 to `clients` - 1; only where there are several is one deaf."""
    return "deaf" if 0 < number == clients - 1 else MANNERS.get(number % 20, "patient")


def wish(rng: random.Random, streams: Sequence[str], event_id: str) -> Event:
    """A question about one of the streams."""
    extras: Event = {"streams": [rng.choice(streams)]}
    if (span := rng.choice(TIMES)) is not None:
        extras["time"] = span
    content = [{"type": "input_text", "text": rng.choice(QUESTIONS)}]
    response = {
        "conversation": "none",
        "input": [{"type": "message", "role": "user", "content": content}],
        "max_output_tokens": rng.choice(LENGTHS),
        "livevlm": extras,
    }
    return {"type": "response.create", "event_id": event_id, "response": response}


@dataclass(slots=True)
class Scene:
    """What all clients share. `over` is set when no more is asked; `connected` is called by each when it is."""

    url: str
    streams: Sequence[str]
    think_s: float
    connected: Callable[[], None]
    tally: Tally = field(default_factory=Tally)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class LoadClient:
    """One client, over as many connections as it takes."""

    def __init__(self, number: int, how: Manner, scene: Scene, seed: int) -> None:
        self._how, self._scene, self._tally = how, scene, scene.tally
        self._rng = random.Random(f"{seed}:{number}")
        self._asked, self._told = 0, False
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until the load is over, or the daemon goes."""
        failed = 0
        while not (self._scene.over.is_set() or self._tally.going_away or failed == TRIES):
            try:
                async with connect(
                    self._scene.url,
                    proxy=None,
                    compression=None,
                    max_size=None,
                    open_timeout=PATIENCE_S,
                    ping_interval=None,  # see _pulse
                ) as socket:
                    failed = 0
                    self._tell_connected()
                    if not await self._session(socket):
                        break
            except (OSError, TimeoutError, InvalidHandshake) as error:
                if not self._tally.going_away:
                    failed += 1
                    self._tally.closes[f"not connected: {type(error).__name__}"] += 1
                await self._rest(RETRY_S)
        self._tell_connected()  # or never will be

    def _tell_connected(self) -> None:
        if not self._told:
            self._told = True
            self._scene.connected()

    async def _session(self, socket: ClientConnection) -> bool:
        """One connection from its opening to its end; whether there is to be another."""
        if self._how == "deaf":
            await self._be_deaf(socket)
            return False
        line, went = Line(self._tally), False
        reader = asyncio.create_task(self._read(socket, line))
        pulse = asyncio.create_task(self._pulse(socket))
        with suppress(ConnectionClosed):
            await self._converse(socket, line, reader)
            went = not reader.done()
        if went:
            line.leave()
            await self._part(socket)
        await reader
        pulse.cancel()
        if not went and not line.leaving:
            self._tally.closes[f"{socket.close_code} {socket.close_reason}".strip()] += 1
            await self._rest(RETRY_S)
        return not line.leaving

    async def _converse(
        self, socket: ClientConnection, line: Line, reader: asyncio.Task[None]
    ) -> None:
        """Ask and listen, again and again; returns when it goes, when the load is over or the connection is."""
        while not (reader.done() or line.leaving or self._scene.over.is_set()):
            await self._rest(self._rng.uniform(0, 2 * self._scene.think_s))
            if line.leaving or self._scene.over.is_set():
                break
            count = AT_ONCE if self._how == "many" else 1
            asked = [await self._ask(socket, line) for _ in range(count)]
            if self._how in ("cancels", "leaves", "vanishes"):
                await self._until(reader, lambda one=asked[0]: one.moved)  # type: ignore[misc]
                if self._how != "cancels":
                    return
                await socket.send(json.dumps({"type": "response.cancel", "event_id": "cancel"}))
            await self._until(reader, lambda: not line.open)
        await self._until(reader, lambda: not line.open)
        if line.leaving:
            await reader  # the daemon closes

    async def _ask(self, socket: ClientConnection, line: Line) -> Asked:
        self._asked += 1
        event = wish(self._rng, self._scene.streams, f"q{self._asked}")
        asked = line.ask(event["event_id"], time.monotonic())
        await socket.send(json.dumps(event))
        return asked

    async def _until(self, reader: asyncio.Task[None], reached: Callable[[], bool]) -> None:
        while not (reached() or reader.done()):
            self._news.clear()
            await self._news.wait()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._scene.over.wait(), seconds)

    async def _read(self, socket: ClientConnection, line: Line) -> None:
        try:
            async for message in socket:
                if line.hear(json.loads(message), time.monotonic()):
                    self._news.set()
        except ConnectionClosed:
            pass  # the close code tells
        finally:
            asyncio.get_running_loop().call_soon(self._news.set)  # when this task is done

    async def _pulse(self, socket: ClientConnection) -> None:
        """Ping now and then, and see how long the daemon takes."""
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(PULSE_S)
                began = time.monotonic()
                try:
                    await asyncio.wait_for(await socket.ping(), PATIENCE_S)
                except TimeoutError:
                    self._tally.ping_timeouts += 1
                else:
                    self._tally.pings_s.append(time.monotonic() - began)

    async def _part(self, socket: ClientConnection) -> None:
        if self._how == "vanishes" and not self._scene.over.is_set():
            socket.transport.abort()
        else:
            await socket.close()

    async def _be_deaf(self, socket: ClientConnection) -> None:
        """Ask, read nothing, and have the daemon send a lot; read on once it has given up, to see what it says."""
        line = Line(self._tally)
        host = self._scene.url.removeprefix("ws://").split("/")[0]
        until = time.monotonic() + SLOW_S
        try:
            await self._ask(socket, line)
            line.leave()
            while time.monotonic() < until and not await asyncio.to_thread(_given_up, host):
                await socket.send(json.dumps({"type": "conversation.item.create", "item": ECHO}))
                await asyncio.sleep(ECHO_EVERY_S)
            while time.monotonic() < until:
                await asyncio.wait_for(socket.recv(), SLOW_S)
        except (ConnectionClosed, TimeoutError):
            pass
        self._tally.slow[str(socket.close_code)] += 1


def _given_up(host: str) -> bool:
    """Whether the daemon has closed a slow client, or is gone altogether."""
    try:
        return slow_closes(page(host, "/metrics")) > 0
    except (OSError, HTTPException):
        return True


async def load(options: argparse.Namespace) -> tuple[Tally, float]:
    """Let them all loose for the time that is wanted, then until their last answers have ended; and how long that was, in
    seconds.
    """
    connected = asyncio.Semaphore(0)
    scene = Scene(options.address, options.streams.split(","), options.think, connected.release)
    count = options.clients
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            client = LoadClient(number, manner(number, count), scene, options.seed)
            group.create_task(client.run())
        for _ in range(count):
            await connected.acquire()
        print(json.dumps({"connected": count}), flush=True)
        began = time.monotonic()
        await asyncio.sleep(options.seconds)
        if not options.until_closed:
            scene.over.set()
    return scene.tally, time.monotonic() - began


def main(argv: Sequence[str]) -> int:
    """Run, and print what was counted."""
    parser = argparse.ArgumentParser(prog="livevlm.bench.loadclients", description=__doc__)
    parser.add_argument("address", help="the daemon's, as ws://127.0.0.1:8765/v1/realtime")
    parser.add_argument("--streams", required=True, help="names, with commas between them")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--think", type=float, default=5.0, help="seconds, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until-closed", action="store_true", help="go on until the daemon stops")
    options = parser.parse_args(argv)
    tally, elapsed_s = asyncio.run(load(options))
    found = {**figures(tally, elapsed_s), "clients_cores": time.process_time() / elapsed_s}
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
