"""Watching: a condition that the daemon looks for, and its events as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypedDict

from livevlm.client.audience import MOST_WAITING, Audience
from livevlm.client.feed import Feed
from livevlm.client.ledger import Ledger
from livevlm.client.times import Duration, seconds_in
from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.service.watches import create_json, read_status, read_told
from livevlm.service.wire import JsonObject, child
from livevlm.watching.watch import Rule, WatchEvent, WatchRequest, WatchStatus, Webhook


class WatchWishes(TypedDict, total=False):
    """How a condition is to be watched for; what is left out is as the daemon has it by default.

    name: to delete it by. once: the first trigger is the last. cooldown: the least time between two triggers. confirm: so many
    evaluations in a row must agree. threshold: from which probability on it is so. lasts: when it expires. webhook: where else
    what it tells is posted.
    """

    name: str | None
    once: bool
    cooldown: Duration
    confirm: int
    threshold: float
    lasts: Duration | None
    webhook: Webhook | None


def request_from(condition: str, stream: str | None, wishes: WatchWishes) -> WatchRequest:
    """The watch that is wished for. ValueError where there can be none."""
    usual = Rule()
    lasts = wishes.get("lasts")
    rule = Rule(
        mode="once" if wishes.get("once") else "repeat",
        cooldown_s=seconds_in(wishes.get("cooldown", usual.cooldown_s)),
        confirm_n=wishes.get("confirm", usual.confirm_n),
        threshold=wishes.get("threshold", usual.threshold),
    )
    return WatchRequest(
        stream=stream or "",
        condition=condition,
        name=wishes.get("name"),
        rule=rule,
        lasts_s=None if lasts is None else seconds_in(lasts),
        webhook=wishes.get("webhook"),
    )


class Watching:
    """What `Client.watch` gives at once; the watch is on its way.

    `await watching` gives the watch as the daemon made it, or raises why it did not. `async for event in watching` gives what
    it tells, whatever becomes of the connection in between, until it has expired or, once, was triggered. What came while the
    daemon had no session of ours is missed; that it is over is told anyway. Raises WatchNotFound where the daemon has lost
    the watch, and ServerUnreachable in the end. `async with` deletes it when the block is left.

    status: the watch as it was made, None before. over: it will tell nothing more. deleted: by this client.
    """

    def __init__(
        self,
        ledger: Ledger,
        audience: Audience,
        request: WatchRequest,
        drop: Callable[[str], Awaitable[object]],
    ) -> None:
        self.request = request
        self.status: WatchStatus | None = None
        self.over = False
        self._audience = audience
        self._drop = drop
        self.deleted = False
        self._events: Feed[JsonObject] = Feed(MOST_WAITING)
        self._error: LiveVLMError | None = None
        self._settled = asyncio.Event()
        try:
            ledger.request("watch.create", create_json(request), self._settle)
        except LiveVLMError as error:
            self._fail(error)

    def __await__(self) -> Generator[Any, None, WatchStatus]:
        return self._made().__await__()

    async def __aenter__(self) -> Self:
        await self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.delete()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent:
        """What the watch tells next."""
        await self
        while not self.over:
            told = told_from(await anext(self._events))
            if told is not None:
                self.over = told.change == "expired" or self.request.rule.mode == "once"
                return told
        raise StopAsyncIteration

    async def delete(self) -> None:
        """Watch no longer; nothing where it was deleted already, or the daemon is gone."""
        if self.deleted:
            return
        self.deleted = True
        with suppress(LiveVLMError):
            watch_id = (await self).watch.id
            self._audience.leave(watch_id)
            self._events.close()
            await self._drop(watch_id)

    async def _made(self) -> WatchStatus:
        await self._settled.wait()
        if self._error is not None:
            raise self._error
        assert self.status is not None
        return self.status

    def _settle(self, result: JsonObject | LiveVLMError) -> None:
        """Called by the connection's reader, so that nothing is missed that the watch tells right away."""
        if isinstance(result, LiveVLMError):
            return self._fail(result)
        try:
            self.status = status_from(child(result, "watch"))
        except ServerUnreachable as error:
            return self._fail(error)
        self._audience.follow(self.status.watch.id, self._events)
        self._settled.set()

    def _fail(self, error: LiveVLMError) -> None:
        self._error = error
        self._settled.set()


def status_from(value: JsonObject) -> WatchStatus:
    """A watch as the daemon tells it. Raises ServerUnreachable where it is none."""
    try:
        return read_status(value)
    except ValueError as error:
        raise ServerUnreachable(f"the daemon tells of a watch that is none: {error}") from error


def told_from(event: JsonObject) -> WatchEvent | None:
    """What a watch tells; None where the event is about something else. Raises ServerUnreachable where it is broken."""
    try:
        return read_told(event)
    except ValueError as error:
        raise ServerUnreachable(f"the daemon tells what cannot be read: {error}") from error
