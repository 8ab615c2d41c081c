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
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server as WebsocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from livevlm.errors import ListenFailed
from livevlm.metrics import Metrics
from livevlm.service.access import Gate
from livevlm.service.backlog import Backlog
from livevlm.service.clients import Clients
from livevlm.service.connection import Connection, Service
from livevlm.service.frames import PREFIX, frame_page
from livevlm.service.limits import Limits
from livevlm.service.link import Link, Socket
from livevlm.service.options import DEFAULTS, AskOptions
from livevlm.service.outbox import Ending, Outbox
from livevlm.service.pages import REALTIME, Page, Pages
from livevlm.service.protocol import Session, SessionOptions
from livevlm.service.responses import response_of
from livevlm.service.resumption import Resumption
from livevlm.watching.watch import WatchEvent

__all__ = ["Server", "ServerOptions", "Service"]

logger = logging.getLogger(__name__)

INTERNAL_ERROR, TRY_AGAIN_LATER = 1011, 1013
STOPPING = "the daemon is stopping"
FULL = "as many clients as may be are connected; try again later"
GOING_AWAY = Ending(1001, STOPPING)
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
    answered. `resume_s` is for how long a session waits for a client whose connection was lost, `max_resumable` how many do.
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
    resume_s: float = 60.0
    max_resumable: int = 64


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
        self._changed = asyncio.Event()
        self._clients = Clients(
            Resumption(
                for_s=self._options.resume_s,
                most=self._options.max_resumable,
                clock=time.monotonic,
            ),
            metrics=metrics,
            changed=self._changed.set,
        )
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
                create_connection=Socket,
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
        self._clients.end_away()
        for client in self._clients:
            client.going_away(time_left_s=timeout_s, reason=STOPPING)
        await self._settle(timeout_s)
        for client in self._clients:
            client.cancel_all()
        await self._settle(CANCEL_S)
        await self._stop()

    async def _settle(self, timeout_s: float) -> None:
        """Wait until no answer is open, but not longer than `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._clients.waiting:
                    self._changed.clear()
                    await self._changed.wait()

    async def _notice(self) -> None:
        """Look for what subscribers are to hear: that a stream has stalled, say, nobody reports."""
        while True:
            await asyncio.sleep(self._options.notice_s)
            subscribers = [client for client in self._clients if client.subscribed]
            statuses = self._service.streams() if subscribers else []
            for client in subscribers:
                client.notice(statuses)
            self._expire()
            self._clients.drop_unread(max(MOST_UNREAD_BYTES, self._options.max_outgoing_bytes))

    def _hear(self, loop: asyncio.AbstractEventLoop, event: WatchEvent) -> None:
        """Called by the service, on its thread: all clients hear it, and tell whom it is for."""
        with suppress(RuntimeError):  # the loop is closed, and nobody is left to be told
            loop.call_soon_threadsafe(self._spread, event)

    def _spread(self, event: WatchEvent) -> None:
        for client in self._clients:
            client.hear(event)

    async def _stop(self) -> None:
        """Send what is queued, close what is open, stop listening; each step has an end."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._noticing.cancel()
        self._pages.stopping = True
        self._clients.end_away()
        self._clients.finish(GOING_AWAY)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.close_timeout_s + GRACE_S):
                while self._clients.links:
                    self._changed.clear()
                    await self._changed.wait()
        for link in list(self._clients.links):
            link.abort()  # it would not go
        for task in list(listener.handler_tasks):
            task.cancel()  # it connected and has said nothing yet
        listener.close(code=GOING_AWAY.code, reason=STOPPING)
        await listener.wait_closed()

    async def _handle(self, socket: ServerConnection) -> None:
        """One socket, from its opening to its end."""
        assert socket.request is not None
        caller = self._gate.caller(socket.request.headers.get_all)
        link = Link(socket, caller=caller, close_timeout_s=self._options.close_timeout_s)
        if self._full():  # others have come since it was let in
            await link.close(TRY_AGAIN_LATER, FULL)
            return
        try:
            self._clients.open(link, self._client(socket))
            async for message in socket:
                self._clients.receive(link, message)
                await asyncio.sleep(0)  # lets the writer send what was said before more is asked
        except ConnectionClosed:
            pass  # it has left
        except Exception:
            logger.exception("a session failed and is closed")
            self._end(link)
            await link.close(INTERNAL_ERROR, "internal error")
        finally:
            self._lose(link)
            await link.ended()
            self._clients.gone(link)

    def _end(self, link: Link) -> None:
        client, link.client = link.client, None
        try:
            if client is not None:
                self._clients.end(client)
        except Exception:
            logger.exception("the questions of a session that failed could not be cancelled")

    def _expire(self) -> None:
        try:
            self._clients.expire()
        except Exception:
            logger.exception("the questions of a client that stayed away could not be cancelled")

    def _lose(self, link: Link) -> None:
        try:
            self._clients.lost(link)
        except Exception:
            logger.exception("the questions of a client that left could not be cancelled")

    def _client(self, socket: ServerConnection) -> Connection:
        options = self._options
        backlog = Backlog(options.max_outgoing_bytes, keep=options.resume_s > 0)
        return Connection(
            self._session(socket),
            service=self._service,
            outbox=Outbox(backlog),
            changed=self._changed.set,
            overflow=self._clients.overflow,
        )

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

    async def _answer_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """The answer to a GET; None lets a websocket open."""
        page = await self._page(request)
        if page is None:
            return None
        return response_of(page, socket, request)

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
        if self._pages.stopping or self._full():
            return Page(503, f"{STOPPING if self._pages.stopping else FULL}.\n")
        return None

    def _full(self) -> bool:
        return self._options.limits.full(len(self._clients.links))


def listen_failed(host: str, port: int, error: Exception) -> ListenFailed:
    """The error for an address that cannot be listened on."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        reason, way_out = "it is in use", "stop what listens there, or choose another port"
    else:
        reason, way_out = getattr(error, "strerror", None) or str(error), "choose another address"
    return ListenFailed(
        f"cannot listen on {host}:{port}: {reason}; {way_out} with --listen HOST:PORT"
    )
