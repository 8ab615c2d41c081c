"""A real server on a free port with a fake service behind it, and a bare websocket client, for tests."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec

from websockets.asyncio.client import ClientConnection, connect

from livevlm.metrics import Metrics
from livevlm.service.server import Server, ServerOptions
from tests.livevlm.service.fake_service import FakeService

P = ParamSpec("P")
Event = dict[str, Any]


def on_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on a loop of its own; the time limit is a guard against hanging."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def guarded() -> None:
            async with asyncio.timeout(60):
                await test(*args, **kwargs)

        asyncio.run(guarded())

    return run


class WatchedMetrics(Metrics):
    """Metrics that remember without being scraped whether a slow client was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_clients = 0

    def slow_client_closed(self) -> None:
        """Count it twice."""
        super().slow_client_closed()
        self.slow_clients += 1


@dataclass(frozen=True)
class Running:
    """A server that listens, and what it serves."""

    server: Server
    service: FakeService
    metrics: WatchedMetrics

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.server.port}"

    @property
    def url(self) -> str:
        """Where the websocket is."""
        return f"ws://{self.address}/v1/realtime"


@asynccontextmanager
async def running(
    *streams: str, options: ServerOptions | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Running]:
    """A server on a free port, with streams of these names ("front" when there are none)."""
    metrics = WatchedMetrics()
    with FakeService(*streams) as service:
        metrics.observe_streams(service.streams)
        server = Server(service, host=host, port=0, metrics=metrics, options=options)
        async with server:
            yield Running(server, service, metrics)


class Peer:
    """A bare websocket client: events as they are."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, event: object) -> None:
        """Send one event, or any other JSON."""
        await self.socket.send(json.dumps(event))

    async def event(self) -> Event:
        """The next event."""
        event: Event = json.loads(await self.socket.recv())
        return event

    async def until(self, kind: str) -> list[Event]:
        """All events up to the next one of a kind."""
        events = [await self.event()]
        while events[-1]["type"] != kind:
            events.append(await self.event())
        return events

    async def ask(self, text: str, **livevlm: Any) -> str:
        """Ask, and return the response's id once it was accepted."""
        await self.send(ask(text, **livevlm))
        created = (await self.until("response.created"))[-1]
        response_id: str = created["response"]["id"]
        return response_id


@asynccontextmanager
async def joined(where: Running, query: str = "", **arguments: Any) -> AsyncIterator[Peer]:
    """A client that has read session.created."""
    async with connect(where.url + query, proxy=None, **arguments) as socket:
        peer = Peer(socket)
        created = await peer.event()
        assert created["type"] == "session.created"
        yield peer


def message(text: str, role: str = "user") -> Event:
    """A conversation item."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def ask(text: str, *, event_id: str | None = None, **livevlm: Any) -> Event:
    """A one-message response.create."""
    response: Event = {"conversation": "none", "input": [message(text)], "livevlm": livevlm}
    event: Event = {"type": "response.create", "response": response}
    return event if event_id is None else {**event, "event_id": event_id}
