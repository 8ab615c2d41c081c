"""Outbox: one socket's end of a session's backlog. When the session goes on over another socket, it gets another outbox."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from livevlm.service.backlog import Backlog
from livevlm.service.wire import JsonObject, encode


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a websocket is closed."""

    code: int
    reason: str


class Outbox:
    """For one asyncio loop. `greeting` is given out before what waits in the backlog, and not kept there."""

    def __init__(self, backlog: Backlog, *, greeting: JsonObject | None = None) -> None:
        self.backlog = backlog
        self.ending: Ending | None = None
        self._greeting = None if greeting is None else encode(greeting)
        self.closed = False
        self._discarded = False
        self._asked = False
        self._changed = asyncio.Event()

    def put(self, event: JsonObject) -> bool:
        """Have an event wait; False when more waits than may: the client is too slow to be served. Once closed it drops it."""
        if self.closed:
            return True
        fits = self.backlog.put(event)
        self._changed.set()
        return fits

    async def get(self) -> str | None:
        """The oldest event as text; None when the outbox was closed and nothing waits, or when it was discarded."""
        while not self._discarded:
            text, self._greeting = self._greeting, None
            text = self.backlog.take() if text is None else text
            if text is not None:
                return text
            if self.closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return None

    def to_ask(self) -> int | None:
        """The number up to which it is to be found out now whether the events that were got have arrived: `told` takes the
        answer. None where that is not worth it, or is being found out.
        """
        if self._asked or not self.backlog.heavy:
            return None
        self._asked = True
        return self.backlog.newest

    def told(self, number: int) -> None:
        """All events up to this number have arrived at the other end of the socket."""
        self._asked = False
        if not self._discarded:  # else the client has said itself what it has seen
            self.backlog.arrived(number)

    def close(self, ending: Ending | None = None) -> None:
        """Take no more; what waits may still be got, and then the socket is to be closed so."""
        self.ending = self.ending or ending
        self.closed = True
        self._changed.set()

    def discard(self) -> None:
        """Give out no more: the socket is lost, or not the session's any longer. What waits stays in the backlog."""
        self._discarded = True
        self._changed.set()
