"""A client of the daemon: connect, ask, read the answer as it grows.

    async with connect("127.0.0.1:8765") as client:
        reply = await client.ask("what is on the table?", stream="front")
        async for event in reply:                 # Recalled, AnswerChunk ..., Answer
            ...
        answer = await reply.answer()

A question that the daemon refuses raises the error of `livevlm.errors` that the daemon named; one that it accepts ends with
exactly one `Answer`, whose `failure` says why it failed, if it did (`error_from(answer.failure)` makes an error of it).
When the connection is lost, whoever waits gets `ServerUnreachable`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from livevlm.changes import Change, Changed
from livevlm.dial import dial
from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.messages import Forgotten, Found, MemorySize, StreamStatus, TimeRange
from livevlm.service.address import realtime_url, shown
from livevlm.service.asking import Reply, error_from, read_progress, response_json
from livevlm.service.commands import ALL, TOPICS
from livevlm.service.errands import read_forgotten, read_found, read_sizes
from livevlm.service.options import AskOptions
from livevlm.service.streams import change_event, read_changed
from livevlm.service.wire import (
    PROTOCOL,
    Json,
    JsonObject,
    child,
    encode,
    read_failure,
    read_object,
    read_status,
    time_range_json,
)

__all__ = ["AskOptions", "Client", "Reply", "ServerStatus", "connect", "error_from"]

PATH = "/v1/realtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The daemon's version and model, whether it can answer, and what it knows of every stream."""

    version: str
    model: str
    ready: bool
    streams: list[StreamStatus]


class Client:
    """One open session, made by `connect`. Questions may be asked in parallel."""

    def __init__(self, socket: ClientConnection, address: str, session: JsonObject) -> None:
        self.session = session
        self._socket = socket
        self._address = address
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[JsonObject | Reply]] = {}
        self._replies: dict[str, Reply] = {}
        self._pushed: dict[str, asyncio.Queue[JsonObject | LiveVLMError]] = {
            topic: asyncio.Queue() for topic in TOPICS
        }
        self._lost: LiveVLMError | None = None

    @property
    def version(self) -> str:
        """The daemon's version."""
        return str(child(self.session, "livevlm").get("version", ""))

    @property
    def model(self) -> str:
        """The name of the daemon's model."""
        return str(child(self.session, "livevlm").get("model", ""))

    @property
    def streams(self) -> list[str]:
        """The names of the streams there were when the session opened."""
        names = child(self.session, "livevlm").get("streams")
        return [str(name) for name in names] if isinstance(names, list) else []

    async def ask(
        self,
        text: str,
        *,
        stream: str | None = None,
        time: TimeRange | None = None,
        options: AskOptions | None = None,
    ) -> Reply:
        """Ask about a stream (None: the only one) and return as soon as the daemon has accepted the question.

        Raises the LiveVLMError that the daemon refused it with, or ServerUnreachable.
        """
        response = response_json(text, stream=stream, time=time, options=options or AskOptions())
        reply = await self._request("response.create", response=response)
        assert isinstance(reply, Reply)
        return reply

    async def memory_stats(self, *, stream: str | None = None) -> tuple[MemorySize, ...]:
        """The sizes of a stream's memory, or of each stream's. Raises StreamNotFound or ServerUnreachable, for instance."""
        return read_sizes(await self.told("memory.stats", stream=stream))

    async def search(
        self,
        text: str,
        *,
        stream: str | None = None,
        time: TimeRange | None = None,
        limit: int | None = None,
    ) -> Found:
        """Where something was seen, in at most `limit` frames. Raises the LiveVLMError that the daemon refused it with."""
        span = None if time is None else time_range_json(time)
        found = await self.told("memory.search", query=text, stream=stream, time=span, k=limit)
        try:
            return read_found(found)
        except ValueError as error:
            raise ServerUnreachable(
                f"{self._address} does not speak {PROTOCOL}: {error}"
            ) from error

    async def forget(
        self, time: TimeRange | Literal["all"], *, stream: str | None = None
    ) -> Forgotten:
        """Have erased what a stream showed in a time. Raises NotErased, or the LiveVLMError that the daemon refused it with."""
        span = ALL if isinstance(time, str) else time_range_json(time)
        return read_forgotten(await self.told("memory.clear", stream=stream, time=span))

    async def change(self, change: Change) -> Changed:
        """Have a stream added, removed, paused or resumed, and return when that is done.

        Raises StreamExists, StreamNotFound, TooManyStreams, or the LiveVLMError that the daemon refused it with.
        """
        kind, fields = change_event(change)
        changed = read_changed(await self.told(kind, **fields))
        assert changed is not None
        return changed

    async def subscribe(self, *topics: str) -> None:
        """Be told of what happens under these topics from now on ("stream", "watch"), and of no others."""
        await self.told("subscribe", topics=list(topics))

    async def changes(self) -> AsyncIterator[Changed]:
        """Streams that come, go, or are in another state than before, as it happens, to whom has subscribed to "stream". Raises
        ServerUnreachable in the end.
        """
        async for event in self.pushed("stream"):
            if (changed := read_changed(event)) is not None:
                yield changed

    async def pushed(self, topic: str) -> AsyncIterator[JsonObject]:
        """Events of a topic as they come without being asked for; one reader a topic. Raises ServerUnreachable in the end."""
        while not isinstance(event := await self._pushed[topic].get(), LiveVLMError):
            yield event
        raise event

    async def status(self) -> ServerStatus:
        """The daemon and its streams, now. Raises ServerUnreachable."""
        listed = await self.told("stream.list")
        streams = listed.get("streams")
        found = streams if isinstance(streams, list) else []
        return ServerStatus(
            version=self.version,
            model=self.model,
            ready=bool(listed.get("ready")),
            streams=[read_status(item) for item in found if isinstance(item, dict)],
        )

    async def ping(self) -> None:
        """Return when the daemon has answered on this session. Raises ServerUnreachable."""
        await self._request("ping")

    async def told(self, kind: str, **fields: Json) -> JsonObject:
        """The event that answers one of this kind; fields that are None are left out. Raises what it was refused with."""
        event = await self._request(kind, **{k: v for k, v in fields.items() if v is not None})
        assert isinstance(event, dict)
        return event

    async def _request(self, kind: str, **fields: Json) -> JsonObject | Reply:
        event_id = f"client_{next(self._numbers)}"
        waiting: asyncio.Future[JsonObject | Reply] = asyncio.get_running_loop().create_future()
        self._waiting[event_id] = waiting
        try:
            await self._send({"type": kind, "event_id": event_id, **fields})
            return await waiting
        finally:
            del self._waiting[event_id]

    async def _send(self, event: JsonObject) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            await self._socket.send(encode(event))
        except ConnectionClosed as closed:
            raise self._lost or lost(self._address, closed) from closed

    async def read(self) -> None:
        """Read events until the connection ends; `connect` runs this beside its body."""
        try:
            async for message in self._socket:
                await self._take(read_object(message))
        except ConnectionClosed as closed:
            self._end(lost(self._address, closed))
        except (ValueError, ArithmeticError) as error:
            self._end(ServerUnreachable(f"{self._address} does not speak {PROTOCOL}: {error}"))
        else:
            self._end(ServerUnreachable(f"the daemon at {self._address} closed the connection"))

    async def _take(self, event: JsonObject) -> None:
        kind = event.get("type")
        if kind == "error":
            self._refused(child(event, "error"))
        elif kind == "response.created":
            await self._accepted(child(event, "response"))
        elif "client_event_id" in event:
            self._settle(str(event["client_event_id"]), event)
        elif (topic := str(kind).partition(".")[0]) in TOPICS:
            self._pushed[topic].put_nowait(event)
        else:
            self._progress(event)

    async def _accepted(self, response: JsonObject) -> None:
        response_id = str(response.get("id"))
        extras = child(response, "livevlm")

        async def cancel() -> None:
            await self._send({"type": "response.cancel", "response_id": response_id})

        reply = Reply(response_id, str(extras.get("stream", "")), cancel)
        self._replies[response_id] = reply
        if not self._settle(str(extras.get("client_event_id")), reply):
            with suppress(ServerUnreachable):
                await cancel()  # whoever asked has given up meanwhile

    def _settle(self, event_id: str, result: JsonObject | Reply) -> bool:
        waiting = self._waiting.get(event_id)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(result)
        return True

    def _refused(self, error: JsonObject) -> None:
        waiting = self._waiting.get(str(error.get("event_id")))
        failure = read_failure(error)
        if waiting is not None and not waiting.done() and failure is not None:
            waiting.set_exception(error_from(failure))

    def _progress(self, event: JsonObject) -> None:
        done = event.get("type") == "response.done"
        response_id = str(child(event, "response").get("id") if done else event.get("response_id"))
        reply = self._replies.get(response_id)
        if reply is None:
            return
        if done:
            del self._replies[response_id]
        found = read_progress(event, response_id)
        if found is not None:
            reply.put(found)

    def _end(self, error: LiveVLMError) -> None:
        self._lost = error
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
        for reply in self._replies.values():
            reply.put(error)
        self._replies.clear()
        for queue in self._pushed.values():
            queue.put_nowait(error)


@asynccontextmanager
async def connect(
    address: str,
    *,
    token: str | None = None,
    stream: str | None = None,
    ca: str | None = None,
    timeout_s: float = 10.0,
) -> AsyncIterator[Client]:
    """A session with the daemon at `address`: "HOST:PORT", or a ws, wss, http or https URL.

    `stream` is the stream that questions are about by default, `timeout_s` how long connecting may take. `ca`: a PEM file of
    the authorities to trust over TLS; None: the system's. Raises ServerUnreachable: no daemon there, a wrong token, or
    something else that listens there; and ConfigError for a `ca` that cannot be used.
    """
    url = realtime_url(address, stream)
    where = shown(url)
    socket = await dial(url, token=token, ca=ca, timeout_s=timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            session = child(read_object(await socket.recv()), "session")
    except (ConnectionClosed, TimeoutError, ValueError) as error:
        await socket.close()
        raise ServerUnreachable(
            f"what listens at {where} is no LiveVLM daemon ({error})"
        ) from error
    client = Client(socket, where, session)
    reader = asyncio.create_task(client.read())
    try:
        yield client
    finally:
        await socket.close()
        await reader


def lost(address: str, closed: ConnectionClosed) -> ServerUnreachable:
    """The error for a connection that ended while something was still to come."""
    frame = closed.rcvd
    why = f"{frame.code} {frame.reason}".strip() if frame else "it broke"
    return ServerUnreachable(f"the connection to the daemon at {address} was lost ({why})")
