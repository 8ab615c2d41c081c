"""Client: one session with a daemon, whatever becomes of the connection that carries it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Unpack

from livevlm.changes import (
    AddStream,
    Change,
    Changed,
    PauseStream,
    RemoveStream,
    ResumeStream,
)
from livevlm.client.audience import Audience
from livevlm.client.carrier import Carrier
from livevlm.client.ledger import Ledger
from livevlm.client.reply import Reply
from livevlm.client.times import When, range_from
from livevlm.client.watching import (
    Watching,
    WatchWishes,
    request_from,
    status_from,
    told_from,
)
from livevlm.configfile import stream_settings
from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.link import Dial, Retry
from livevlm.messages import Exchange, Forgotten, Found, MemorySize, StreamStatus, TimeRange
from livevlm.service.asking import response_json
from livevlm.service.commands import ALL
from livevlm.service.errands import read_forgotten, read_found, read_sizes
from livevlm.service.options import AskOptions
from livevlm.service.streams import change_event, read_changed
from livevlm.service.wire import PROTOCOL, Json, JsonObject, child, read_status, time_range_json
from livevlm.watching.watch import WatchEvent, WatchRequest, WatchStatus

LEAVING_S = 2.0  # how long the daemon may take to delete what a client leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """The daemon's version and model, whether it can answer, and what it knows of every stream."""

    version: str
    model: str
    ready: bool
    streams: list[StreamStatus]


class Client:
    """One session, made by `connect` or `local`; to be used on one asyncio loop. Questions may be asked in parallel.

    Every method that awaits raises the LiveVLMError that the daemon refused it with, and ServerUnreachable where the daemon is
    gone for good. Arguments that mean nothing are a ValueError at once.
    """

    def __init__(self, dial: Dial, *, where: str, retry: Retry | None, timeout_s: float) -> None:
        """where: the daemon's address for people. retry: None: a lost connection is the end. timeout_s: as Carrier's."""
        wake = asyncio.Event()
        self._audience = Audience()
        self._ledger = Ledger(self._audience, wake.set)
        self._carrier = Carrier(
            self._ledger, dial, where=where, wake=wake, retry=retry, timeout_s=timeout_s
        )
        self._where = where
        self._watching: list[Watching] = []

    @property
    def session(self) -> JsonObject:
        """What the daemon said of the session when it began or was resumed."""
        return self._ledger.session

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
        """The names of the streams there were when the session began; `status` tells of them now."""
        names = child(self.session, "livevlm").get("streams")
        return [str(name) for name in names] if isinstance(names, list) else []

    def ask(
        self,
        text: str,
        *,
        stream: str | None = None,
        options: AskOptions | None = None,
        earlier: Sequence[Exchange] = (),
        **when: Unpack[When],
    ) -> Reply:
        """Ask about a stream (None: the session's, or the only one). Await the reply, or iterate over it.

        earlier: what was asked and answered before, oldest first; `options.history_turns` says how much of it is read.
        """
        response = response_json(
            text,
            stream=stream,
            time=range_from(when),
            options=options or AskOptions(),
            earlier=earlier,
        )
        reply = Reply(self._ledger.cancel)
        self._ledger.ask(response, reply)
        return reply

    def watch(
        self,
        condition: str | WatchRequest,
        *,
        stream: str | None = None,
        keep: bool = False,
        **wishes: Unpack[WatchWishes],
    ) -> Watching:
        """Have a condition watched for. keep: leave the watch with the daemon when this client is closed."""
        request = condition
        if isinstance(request, str):
            request = request_from(request, stream, wishes)
        watching = Watching(self._ledger, self._audience, request, self.unwatch)
        if not keep:
            left = [one for one in self._watching if not one.deleted]
            self._watching = [*left, watching]
        return watching

    async def watches(self) -> tuple[WatchStatus, ...]:
        """The daemon's watches, whoever made them."""
        found = (await self.told("watch.list")).get("watches")
        listed = found if isinstance(found, list) else []
        return tuple(status_from(one) for one in listed if isinstance(one, dict))

    async def unwatch(self, watch: str) -> WatchStatus:
        """Delete a watch by its id or its name; gives it back as it was. Raises WatchNotFound."""
        return status_from(child(await self.told("watch.delete", watch=watch), "watch"))

    async def watch_events(self) -> AsyncIterator[WatchEvent]:
        """What watches tell this client: those that it has made, or all where it has subscribed to "watch"; for one reader."""
        async for event in self.pushed("watch"):
            if (told := told_from(event)) is not None:
                yield told

    async def memory_stats(self, *, stream: str | None = None) -> tuple[MemorySize, ...]:
        """The sizes of a stream's memory, or of each stream's."""
        return read_sizes(await self.told("memory.stats", stream=stream))

    async def search(
        self,
        text: str,
        *,
        stream: str | None = None,
        limit: int | None = None,
        **when: Unpack[When],
    ) -> Found:
        """Where something was seen, in at most `limit` frames (None: as many as the daemon tells by default)."""
        time = range_from(when)
        span = None if time is None else time_range_json(time)
        found = await self.told("memory.search", query=text, stream=stream, time=span, k=limit)
        try:
            return read_found(found)
        except ValueError as error:
            raise ServerUnreachable(f"{self._where} does not speak {PROTOCOL}: {error}") from error

    async def forget(
        self,
        everything: Literal["all"] | TimeRange | None = None,
        *,
        stream: str | None = None,
        **when: Unpack[When],
    ) -> Forgotten:
        """Have erased what a stream showed in a time, or "all" of it. Raises NotErased where files may be left."""
        if isinstance(everything, TimeRange):
            when = {**when, "time": everything}
        time = range_from(when)
        if (time is None) == (everything != ALL):
            raise ValueError('say what is to be forgotten: a time, or "all"')
        span = ALL if time is None else time_range_json(time)
        return read_forgotten(await self.told("memory.clear", stream=stream, time=span))

    async def add_stream(self, name: str, url: str, **settings: object) -> StreamStatus:
        """Have one more stream watched, until the daemon ends; settings as in a [streams.NAME] table. Raises StreamExists,
        TooManyStreams, and SettingError for what can be no stream.
        """
        stream = AddStream(name=name, settings=stream_settings(name, {"url": url, **settings}))
        return await self._altered(stream)

    async def remove_stream(self, name: str, *, forget: bool = False) -> None:
        """Have a stream watched no longer. forget: also erase what is remembered of it, on disk too."""
        await self.change(RemoveStream(name=name, forget=forget))

    async def pause_stream(self, name: str) -> StreamStatus:
        """Have no more frames taken of a stream; it is still remembered."""
        return await self._altered(PauseStream(name=name))

    async def resume_stream(self, name: str) -> StreamStatus:
        """Go on with a paused stream."""
        return await self._altered(ResumeStream(name=name))

    async def change(self, change: Change) -> Changed:
        """Have a stream added, removed, paused or resumed, and return when that is done."""
        kind, fields = change_event(change)
        changed = read_changed(await self.told(kind, **fields))
        assert changed is not None
        return changed

    async def subscribe(self, *topics: str) -> None:
        """Be told of what happens under these topics from now on ("stream", "watch"), and of no others; also after a
        reconnection.
        """
        await self.told("subscribe", topics=self._audience.needed(topics))
        self._audience.topics = topics

    async def changes(self) -> AsyncIterator[Changed]:
        """Streams that come, go, or are in another state than before, as it happens, to whom has subscribed to "stream"."""
        async for event in self.pushed("stream"):
            if (changed := read_changed(event)) is not None:
                yield changed

    def pushed(self, topic: str) -> AsyncIterator[JsonObject]:
        """Events of a topic as they come without being asked for; one reader a topic. The newest 1 024 wait to be read."""
        return self._audience.pushed(topic)

    async def status(self) -> ServerStatus:
        """The daemon and its streams, now."""
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
        """Return when the daemon has answered on this session."""
        await self.told("ping")

    async def told(self, kind: str, **fields: Json) -> JsonObject:
        """The event that answers one of this kind; fields that are None are left out."""
        answered: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()

        def settle(result: JsonObject | LiveVLMError) -> None:
            if answered.done():
                return
            if isinstance(result, LiveVLMError):
                answered.set_exception(result)
            else:
                answered.set_result(result)

        given: JsonObject = {name: value for name, value in fields.items() if value is not None}
        event_id = self._ledger.request(kind, given, settle)
        try:
            return await answered
        except asyncio.CancelledError:
            self._ledger.withdraw(event_id)
            raise

    async def open(self) -> None:
        """Connect. Raises ServerUnreachable; for `connect` and `local`."""
        await self._carrier.open()

    async def close(self) -> None:
        """Leave the daemon: watches that are not kept are deleted, questions are cancelled; for `connect` and `local`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVING_S):
                for watching in self._watching if self._ledger.up else ():
                    await watching.delete()
        await self._carrier.close()

    async def _altered(self, change: Change) -> StreamStatus:
        status = (await self.change(change)).status
        if status is None:
            raise ServerUnreachable(f"{self._where} does not speak {PROTOCOL}: no stream is told")
        return status
