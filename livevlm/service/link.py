"""Link: one websocket, the writer that sends what its session has to say, and how it is closed."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Sequence
from typing import Any

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from livevlm.service.connection import Connection
from livevlm.service.outbox import Outbox
from livevlm.service.wire import PROTOCOL

SUBPROTOCOLS = (Subprotocol(PROTOCOL), Subprotocol("realtime"))

# What a client that leaves in order says: done, a page that is left, and no reason given.
FAREWELLS = (1000, 1001, 1005)


def choose_subprotocol(offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first of ours that is offered; none where none is. Raises NegotiationError where all are unknown."""
    for known in SUBPROTOCOLS:
        if known in offered:
            return known
    if offered:
        raise NegotiationError(f"offer the subprotocol {PROTOCOL}, or none")
    return None


class Socket(ServerConnection):
    """Knows our subprotocols. What `serve` takes to choose one holds the socket, and the socket it: each that was ever opened,
    for a page too, would stay until the garbage collector looks for it.
    """

    def __init__(self, protocol: ServerProtocol, server: Server, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        protocol.select_subprotocol = choose_subprotocol  # type: ignore[assignment, method-assign]


class Link:
    """`client` is whose socket it is; None when it is nobody's any more and only has to end. `caller`: who was let in."""

    def __init__(self, socket: ServerConnection, *, caller: str, close_timeout_s: float) -> None:
        self.socket = socket
        self.caller = caller
        self.client: Connection | None = None
        self.resumed = False
        self._close_timeout_s = close_timeout_s
        self._outboxes: deque[Outbox] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._cutter: asyncio.Task[None] | None = None

    @property
    def left(self) -> bool:
        """Whether the client has closed the socket in order."""
        return self.socket.close_code in FAREWELLS

    @property
    def unread_bytes(self) -> int:
        """What was sent and the client's system has not taken."""
        return self.socket.transport.get_write_buffer_size()

    def carry(self, client: Connection, outbox: Outbox) -> None:
        """The socket is this client's from now on: its outbox is written, after the rest of the one before."""
        self.client = client
        self._outboxes.append(outbox)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    def cut(self, code: int, reason: str) -> None:
        """Close the socket without waiting for it."""
        if self._cutter is None:
            self._cutter = asyncio.create_task(self.close(code, reason))

    async def close(self, code: int, reason: str) -> None:
        """Close the socket; one that does not take part is cut off."""
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await self.socket.close(code, reason)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Close the socket at once, whatever is on its way."""
        self.socket.transport.abort()

    async def ended(self) -> None:
        """Wait until nothing is written any more."""
        for task in (self._writer, self._cutter):
            if task is not None:
                await task

    async def _write(self) -> None:
        """Send what waits until there is no more to come."""
        while self._outboxes:
            outbox = self._outboxes.popleft()
            try:
                while (text := await outbox.get()) is not None:
                    await self.socket.send(text)
                    await self._ask(outbox)
            except ConnectionClosed:
                return
            if outbox.ending is not None:
                await self.close(outbox.ending.code, outbox.ending.reason)
                return

    async def _ask(self, outbox: Outbox) -> None:
        """Now and then, find out how far the client has got: a pong tells that all before its ping has arrived."""
        number = outbox.to_ask()
        if number is not None:
            pong = asyncio.ensure_future(await self.socket.ping())
            pong.add_done_callback(functools.partial(_answered, outbox, number))


def _answered(outbox: Outbox, number: int, pong: asyncio.Future[float]) -> None:
    """A ping was answered, or the socket is lost: then nothing is known."""
    if not pong.cancelled() and pong.exception() is None:
        outbox.told(number)
