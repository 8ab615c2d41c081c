"""A daemon in this process, behind the same client: no socket, no port, the same events.

async with local("configs/demo.toml") as client:
    print((await client.ask("what is on the table?")).text)
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

from livevlm.assembly import server_options
from livevlm.client.sync import SyncClient, beside
from livevlm.client.talk import Client
from livevlm.config import Config
from livevlm.configfile import load_config
from livevlm.daemon import Daemon
from livevlm.errors import ServerUnreachable
from livevlm.layers import Setting
from livevlm.service.backlog import Backlog
from livevlm.service.connection import Connection, Service
from livevlm.service.outbox import Outbox
from livevlm.service.protocol import Session, SessionOptions
from livevlm.service.server import ServerOptions
from livevlm.watching.watch import WatchEvent

HERE = "this process"
GREETING_S = 10.0
DEAD = "the model's thread has ended; the log says why"
TOO_SLOW = "this client reads too slowly"


class LocalLink:
    """A session with a service in this process, as a `Link`."""

    def __init__(self, service: Service, options: ServerOptions, stream: str | None) -> None:
        wishes = SessionOptions(
            defaults=options.defaults,
            max_questions=options.max_questions_per_client,
            limits=options.limits,
            stream=stream,
        )
        self._why = "it is closed"
        self._service = service
        self._outbox = Outbox(Backlog(options.max_outgoing_bytes, keep=False))
        self._connection = Connection(
            Session(service, options=wishes),
            service=service,
            outbox=self._outbox,
            changed=lambda: None,
            overflow=lambda _: self.break_off(TOO_SLOW),
        )
        self._loop = asyncio.get_running_loop()
        self._connection.open()
        self._noticing = asyncio.create_task(self._notice(options.notice_s))
        service.listen(self._hear)

    async def send(self, text: str) -> None:
        """Send one event. Raises ServerUnreachable."""
        if self._connection.over:
            raise self._gone()
        self._connection.receive(text)

    async def recv(self) -> str:
        """The next event. Raises ServerUnreachable."""
        text = await self._outbox.get()
        if text is None:
            raise self._gone()
        return text

    async def close(self) -> None:
        """Leave: what was asked is cancelled."""
        self._noticing.cancel()
        self._connection.leave()

    def break_off(self, why: str) -> None:
        """End it from the service's side."""
        self._why = why
        self._connection.leave()

    def _gone(self) -> ServerUnreachable:
        ending = self._outbox.ending
        return ServerUnreachable(
            f"the session in {HERE} is over: {self._why if ending is None else ending.reason}"
        )

    async def _notice(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            if not self._service.ready():
                self.break_off(DEAD)
            if self._connection.subscribed:
                self._connection.notice(self._service.streams())

    def _hear(self, event: WatchEvent) -> None:
        """Called by the service, on its thread."""
        try:
            self._loop.call_soon_threadsafe(self._connection.hear, event)
        except RuntimeError:
            return  # the loop is closed, and nobody is left to be told


@asynccontextmanager
async def attached(
    service: Service, options: ServerOptions, *, stream: str | None = None
) -> AsyncIterator[Client]:
    """A client of a service in this process."""

    async def dial() -> LocalLink:
        return LocalLink(service, options, stream)

    client = Client(dial, where=HERE, retry=None, timeout_s=GREETING_S)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def local(
    config: Config | Path | str | None = None,
    *,
    streams: Mapping[str, str] | None = None,
    stream: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Client]:
    """A daemon that lives as long as the block, and a client of it.

    config: settings, or the file that they stand in; [server] matters for its limits and its state_dir alone. streams: urls by
    name, beside or in place of the file's. stream: as `connect`'s. environ: what `url_env` and webhooks look into, by default
    this process's environment. Raises ConfigError and ModelNotFound.
    """
    own = os.environ if environ is None else environ
    if not isinstance(config, Config):
        flags = [Setting(("streams", n, "url"), u, "streams") for n, u in (streams or {}).items()]
        file = None if config is None else Path(config)
        config = load_config(file, environ=own, flags=flags).config
    elif streams:
        raise ValueError("a Config names its streams itself")
    config = _without_port(config)
    daemon = Daemon(config, environ=own)
    attaching = attached(daemon, server_options(config), stream=stream)
    async with _running(daemon), attaching as client:
        yield client


def local_sync(
    config: Config | Path | str | None = None,
    *,
    streams: Mapping[str, str] | None = None,
    stream: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> AbstractContextManager[SyncClient]:
    """As `local`, for programs without asyncio."""
    return beside(local(config, streams=streams, stream=stream, environ=environ))


def _without_port(config: Config) -> Config:
    """Nothing listens here, so nothing is in the way, and there is nothing to show."""
    nothing = {"listen": "127.0.0.1:0", "token_file": "", "tls_cert": "", "tls_key": ""}
    return config.model_copy(update={"server": config.server.model_copy(update=nothing)})


@asynccontextmanager
async def _running(daemon: Daemon) -> AsyncIterator[None]:
    """A daemon entered and left on other threads: both take their time."""
    entering = asyncio.ensure_future(asyncio.to_thread(daemon.__enter__))
    try:
        await asyncio.shield(entering)
        yield
    finally:
        # One that is half up cannot be left: whoever is cancelled meanwhile waits until it is whole.
        await asyncio.wait([entering])
        if entering.exception() is None:
            await asyncio.to_thread(daemon.__exit__, None, None, None)
