"""The daemon's port: websocket sessions and a few pages. A thin shell: what is said is decided in `protocol` and `pages`.

All of it runs on one asyncio loop. The service answers on threads of its own; what it says is handed to the loop, and dropped
when the loop or the client is gone.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server as WebsocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from livevlm.errors import ListenFailed
from livevlm.metrics import Metrics
from livevlm.service.access import Gate
from livevlm.service.connection import Connection, Service
from livevlm.service.frames import PREFIX, frame_page
from livevlm.service.limits import Limits
from livevlm.service.options import DEFAULTS, AskOptions
from livevlm.service.outbox import Outbox
from livevlm.service.pages import REALTIME, Page, Pages
from livevlm.service.protocol import Session, SessionOptions
from livevlm.service.wire import PROTOCOL
from livevlm.watching.watch import WatchEvent

__all__ = ["Server", "ServerOptions", "Service"]

logger = logging.getLogger(__name__)

SUBPROTOCOLS = (Subprotocol(PROTOCOL), Subprotocol("realtime"))
GOING_AWAY, INTERNAL_ERROR, SLOW_CONSUMER = 1001, 1011, 4413
STOPPING = "the daemon is stopping"
CANCEL_S = 1.0  # how long cancelled answers may take to say that they have ended
GRACE_S = 0.5
HANDSHAKE_S = 5.0  # who connects and says nothing is let go
# Answers to pings are written past the outbox: more than this of them, unread, is a client that reads too slowly.
MOST_UNREAD_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Limits and access. `allowed_origins` are web pages that may connect beside our own, as "https://example.org". `tls`: what
    the port shows of itself; None: it speaks without TLS. `notice_s` is how often the streams are looked at for those who
    subscribed, and the clients for those who read nothing. `handshake_s` is how long a request may take to arrive and to be
    answered.
    """

    max_message_bytes: int = 1 << 20
    max_questions_per_client: int = 8
    limits: Limits = field(default_factory=Limits)
    max_outgoing_bytes: int = 1 << 20
    token: str | None = None
    tls: ssl.SSLContext | None = None
    allowed_origins: frozenset[str] = frozenset()
    defaults: AskOptions = DEFAULTS
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 60.0
    close_timeout_s: float = 1.5
    notice_s: float = 0.25
    handshake_s: float = 10.0


class Server:
    """Listens while it is entered; entering raises ListenFailed. `drain` stops gently, leaving stops at once (1001)."""

    def __init__(
        self,
        service: Service,
        *,
        host: str,
        port: int,
        metrics: Metrics,
        options: ServerOptions | None = None,
    ) -> None:
        self._service = service
        self._host = host
        self._asked_port = port
        self._metrics = metrics
        self._options = options or ServerOptions()
        self._pages = Pages(service, metrics=metrics, clock=time.time)
        self._gate = Gate(
            host=host,
            token=self._options.token,
            allowed_origins=self._options.allowed_origins,
        )
        self._clients: dict[ServerConnection, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._listener: WebsocketServer | None = None

    @property
    def port(self) -> int:
        """The port listened on; where 0 was asked for, the one that was given."""
        assert self._listener is not None, "the server has not been entered"
        return int(self._listener.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        options = self._options
        try:
            self._listener = await serve(
                self._handle,
                self._host,
                self._asked_port,
                process_request=self._answer_request,
                select_subprotocol=choose_subprotocol,
                compression=None,  # events are small, and there is no bomb to defuse
                max_size=options.max_message_bytes,
                open_timeout=options.handshake_s,
                ping_interval=options.ping_interval_s,
                ping_timeout=options.ping_timeout_s,
                close_timeout=options.close_timeout_s,
                server_header="livevlm",
                ssl=options.tls,
                ssl_handshake_timeout=HANDSHAKE_S if options.tls else None,
            )
        except (OSError, OverflowError) as error:
            raise listen_failed(self._host, self._asked_port, error) from error
        self._noticing = asyncio.create_task(self._notice())
        self._service.listen(functools.partial(self._hear, asyncio.get_running_loop()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def drain(self, timeout_s: float) -> None:
        """Take no more questions, give open answers `timeout_s` to end, cancel the rest, and close all sessions (1001)."""
        self._pages.stopping = True
        for client in list(self._clients.values()):
            client.going_away(time_left_s=timeout_s, reason=STOPPING)
        await self._settle(timeout_s)
        for client in list(self._clients.values()):
            client.cancel_all()
        await self._settle(CANCEL_S)
        await self._stop()

    async def _settle(self, timeout_s: float) -> None:
        """Wait until no answer is open, but not longer than `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while any(client.waiting for client in self._clients.values()):
                    self._changed.clear()
                    await self._changed.wait()

    async def _notice(self) -> None:
        """Look for what subscribers are to hear: that a stream has stalled, say, nobody reports."""
        while True:
            await asyncio.sleep(self._options.notice_s)
            subscribers = [client for client in self._clients.values() if client.subscribed]
            statuses = self._service.streams() if subscribers else []
            for client in subscribers:
                client.notice(statuses)
            self._drop_unread()

    def _drop_unread(self) -> None:
        """Cut off who sends pings and reads no answers."""
        most = max(MOST_UNREAD_BYTES, self._options.max_outgoing_bytes)
        for socket, client in list(self._clients.items()):
            if socket.transport.get_write_buffer_size() > most and not client.over:
                client.leave()
                client.overflow()

    def _hear(self, loop: asyncio.AbstractEventLoop, event: WatchEvent) -> None:
        """Called by the service, on its thread: all clients hear it, and tell whom it is for."""
        with suppress(RuntimeError):  # the loop is closed, and nobody is left to be told
            loop.call_soon_threadsafe(self._spread, event)

    def _spread(self, event: WatchEvent) -> None:
        for client in list(self._clients.values()):
            client.hear(event)

    async def _stop(self) -> None:
        """Send what is queued, close what is open, stop listening; each step has an end."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._noticing.cancel()
        self._pages.stopping = True
        for client in self._clients.values():
            client.finish()  # its writer sends the rest, then closes
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.close_timeout_s + GRACE_S):
                while self._clients:
                    self._changed.clear()
                    await self._changed.wait()
        for socket in list(self._clients):
            socket.transport.abort()  # it would not go
        for task in list(listener.handler_tasks):
            task.cancel()  # it connected and has said nothing yet
        listener.close(code=GOING_AWAY, reason=STOPPING)
        await listener.wait_closed()

    async def _handle(self, socket: ServerConnection) -> None:
        """One session, from its opening to its end."""
        outbox = Outbox(self._options.max_outgoing_bytes)
        client = Connection(
            self._session(socket),
            service=self._service,
            outbox=outbox,
            changed=self._changed.set,
            overflow=lambda: self._drop_slow(socket),
        )
        self._clients[socket] = client
        self._metrics.client_connected()
        writer = asyncio.create_task(self._write(socket, outbox, client))
        try:
            client.open()
            async for message in socket:
                client.receive(message)
                await asyncio.sleep(0)  # lets the writer send what was said before more is asked
        except ConnectionClosed:
            pass  # it has left
        except Exception:
            logger.exception("a session failed and is closed")
            await self._close(socket, INTERNAL_ERROR, "internal error")
        finally:
            self._leave(client)
            await writer
            del self._clients[socket]
            self._metrics.client_gone()
            self._changed.set()

    def _leave(self, client: Connection) -> None:
        try:
            client.leave()
        except Exception:
            logger.exception("the questions of a client that left could not be cancelled")

    def _session(self, socket: ServerConnection) -> Session:
        assert socket.request is not None
        query = parse_qs(urlsplit(socket.request.path).query)
        options = SessionOptions(
            defaults=self._options.defaults,
            max_questions=self._options.max_questions_per_client,
            limits=self._options.limits,
            stream=query.get("stream", [None])[-1],
        )
        return Session(self._service, options=options)

    async def _write(self, socket: ServerConnection, outbox: Outbox, client: Connection) -> None:
        """Send what is queued until there is no more to come."""
        try:
            while (text := await outbox.get()) is not None:
                await socket.send(text)
        except ConnectionClosed:
            return
        if not client.over:
            await self._close(socket, GOING_AWAY, STOPPING)

    def _drop_slow(self, socket: ServerConnection) -> None:
        logger.warning("a client reads too slowly and is closed")
        self._metrics.slow_client_closed()
        reason = "this client reads too slowly"
        task = asyncio.create_task(self._close(socket, SLOW_CONSUMER, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(self, socket: ServerConnection, code: int, reason: str) -> None:
        """Close a session; one that does not take part is cut off."""
        try:
            async with asyncio.timeout(self._options.close_timeout_s):
                await socket.close(code, reason)
        except TimeoutError:
            socket.transport.abort()

    async def _answer_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """The answer to a GET; None lets a websocket open."""
        page = await self._page(request)
        if page is None:
            return None
        response = socket.respond(page.status, page.text)
        if page.data is not None:
            response.body = page.data
            del response.headers["Content-Length"]
            response.headers["Content-Length"] = str(len(page.data))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = page.content_type
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        for name, value in page.headers.items():
            response.headers[name] = value
        if page.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if page.status == 405:
            response.headers["Allow"] = "GET, HEAD"
        if request.method == "HEAD":
            response.body = b""
        return response

    async def _page(self, request: Request) -> Page | None:
        try:
            url = urlsplit(request.path)
        except ValueError:
            return Page(400, "This is no path.\n")
        path = url.path
        refusal = self._gate.refusal(path, request.headers.get_all)
        if refusal is not None:
            return Page(refusal.status, f"{refusal.reason}.\n")
        if request.method not in ("GET", "HEAD"):
            return Page(405, "Only GET is answered here; questions are asked on /v1/realtime.\n")
        if path.startswith(PREFIX):
            return await frame_page(path, url.query, self._service)
        if path not in REALTIME:
            return self._pages.page(path)
        return Page(503, f"{STOPPING}.\n") if self._pages.stopping else None


def choose_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first of ours that is offered; none where none is. Raises NegotiationError where all are unknown."""
    for known in SUBPROTOCOLS:
        if known in offered:
            return known
    if offered:
        raise NegotiationError(f"offer the subprotocol {PROTOCOL}, or none")
    return None


def listen_failed(host: str, port: int, error: Exception) -> ListenFailed:
    """The error for an address that cannot be listened on."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        reason, way_out = "it is in use", "stop what listens there, or choose another port"
    else:
        reason, way_out = getattr(error, "strerror", None) or str(error), "choose another address"
    return ListenFailed(
        f"cannot listen on {host}:{port}: {reason}; {way_out} with --listen HOST:PORT"
    )
