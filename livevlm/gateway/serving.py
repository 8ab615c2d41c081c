"""The gateway at work: listening, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from livevlm.errors import LiveVLMError
from livevlm.gateway.app import build_app
from livevlm.gateway.asking import Dial, Limits
from livevlm.gateway.port import Port
from livevlm.service.access import Gate

logger = logging.getLogger(__name__)

DRAIN_S = 3  # how long answers may take to end when the gateway stops
CONNECTIONS = 512  # open at once; more are turned away (503)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn ends the process by the one it was stopped with, which is no way to exit well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, port: Port) -> AsyncIterator[str]:
    """The application on its port, for as long as this is entered; gives its URL. Raises ListenFailed and ConfigError."""
    tls = port.tls()
    with port.bind() as listener:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=DRAIN_S,
            ssl_context_factory=None if tls is None else lambda *_: tls,
        )
        config.load()  # so that what cannot be used is an error here
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield port.url(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await running


def serve(dial: Dial, port: Port, *, limits: Limits, on_ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; a second one ends the process on the spot. The exit code.

    `dial` opens a session with the daemon; `on_ready` is called with the gateway's URL.
    """
    app = build_app(dial, gate=Gate(host=port.host, token=port.token), limits=limits)
    return asyncio.run(_until_signalled(app, port, dial, on_ready))


async def _look_for(dial: Dial) -> None:
    """Say so where no daemon is there yet: until one is, requests are refused."""
    try:
        async with dial():
            pass
    except LiveVLMError as error:
        logger.warning("%s; requests are refused until then", error)


async def _until_signalled(
    app: ASGIApp, port: Port, dial: Dial, on_ready: Callable[[str], None]
) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _signalled, number, stop)
    async with serving(app, port) as url:
        on_ready(url)
        looking = asyncio.create_task(_look_for(dial))
        await stop.wait()
        looking.cancel()
    return 0


def _signalled(number: int, stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(128 + number)
    logger.info("stopping on %s; once more to force it", signal.Signals(number).name)
    stop.set()
