"""Daemon: builds the parts, owns the threads, starts and stops them in order.

One thread a stream reads it, one thread owns the model and every memory, one makes changes of the streams, and the loop in the
main thread owns the sockets.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from livevlm import __version__
from livevlm.assembly import build_backbone, build_engine, open_state, server_options
from livevlm.backbone import Backbone
from livevlm.calls import outcome
from livevlm.changes import Change, Told
from livevlm.config import Config
from livevlm.intake import Intake, build_intake
from livevlm.messages import Done, Errand, Question, Sink, StreamStatus
from livevlm.metrics import Metrics
from livevlm.models import BUNDLED
from livevlm.persistence import StateDir
from livevlm.reload import Hands, Reloader
from livevlm.service.address import PATH
from livevlm.service.listening import check_free
from livevlm.service.server import Server
from livevlm.service.tls import load as load_certificate
from livevlm.service.watches import told_json
from livevlm.service.wire import encode
from livevlm.supervisor import Supervisor
from livevlm.watchconfig import StreamConfig
from livevlm.watching.orders import MakeWatch, WatchDone, WatchOrder, WatchResult
from livevlm.watching.watch import WatchEvent
from livevlm.watching.webhook import Courier
from livevlm.watchlist import Watchlist

logger = logging.getLogger(__name__)

IDLE_S = 0.5  # how often the model's thread looks around when nobody wakes it
DRAIN_S, WORKER_S = 3.0, 2.0  # with the readers' and the sockets' own limits less than 10 s


class Daemon:
    """Watches, remembers and answers between entering and leaving. Entering loads the model and starts the streams.

    Entering raises ConfigError, ModelNotFound or ListenFailed. A stream that cannot be read stops nothing.
    """

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str],
        reload: Callable[[], Config] | None = None,
    ) -> None:
        """reload: the configuration as it is now, for SIGHUP; ConfigError where it cannot be used."""
        self._config = config
        self._reload = reload
        self._supervisor = Supervisor(environ)
        self._environ = environ
        self._metrics = Metrics()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._worker = threading.Thread(target=self._work, name="model", daemon=True)
        self._worker_died = threading.Event()
        self._on_death: Callable[[], object] = _nothing
        self._watchlist: Watchlist | None = None
        self._state: StateDir | None = None
        self._courier = Courier(environ=environ, done=self._metrics.webhook_done)

    def __enter__(self) -> Self:
        server = self._config.server
        self._server_options = server_options(self._config)
        check_free(server.host, server.port)
        for name, stream in self._config.streams.items():
            self._intake(
                None, name, stream
            )  # Loading a model takes long; a mistake is told before.
        backbone = self._load()
        build = functools.partial(self._intake, backbone.frame_size)
        self._check_stream = build
        intakes = [build(name, stream) for name, stream in self._config.streams.items()]
        streams = [intake.stream for intake in intakes]
        self._state = open_state(backbone, self._config)
        self._engine = build_engine(backbone, self._config, streams, self._metrics, self._state)
        self._metrics.describe_build(**self.info())
        self._metrics.observe_streams(self.streams)
        self._watchlist = Watchlist(
            self._engine,
            intakes,
            build=build,
            most=server.max_streams,
            metrics=self._metrics,
            wake=self._wake.set,
            state=None if self._state is None else self._state.path,
        )
        self._engine.listen(self._post)
        self._courier.start()
        self._worker.start()
        self._watchlist.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_readers()
        self._ending.set()
        self._wake.set()
        self._worker.join(WORKER_S)
        if self.stuck:
            logger.warning("the model is still at work and is left behind")
        else:
            self._engine.close()
            if self._watchlist is not None:
                self._watchlist.join(WORKER_S)
            if self._state is not None:
                self._state.close()
        self._courier.close()

    @property
    def stuck(self) -> bool:
        """Whether the model's thread goes on after the end: the process must then be left by force."""
        return self._ending.is_set() and self._worker.is_alive()

    def submit(self, question: Question, sink: Sink) -> None:
        """As Engine.submit."""
        self._engine.submit(question, sink)
        self._wake.set()

    def cancel(self, question_id: str) -> bool:
        """As Engine.cancel."""
        known = self._engine.cancel(question_id)
        self._wake.set()
        return known

    def errand(self, errand: Errand, done: Done) -> None:
        """As Engine.errand."""
        self._engine.errand(errand, done)
        self._wake.set()

    def change(self, change: Change, told: Told) -> None:
        """As Watchlist.change."""
        assert self._watchlist is not None, "the daemon has not been entered"
        self._watchlist.change(change, told)

    def watch(self, order: WatchOrder, done: WatchDone) -> None:
        """As Engine.watch; also raises SettingError for a webhook whose variables are not set."""
        if isinstance(order, MakeWatch) and order.request.webhook is not None:
            self._courier.check(order.request.webhook)

        def tell(ended: Future[WatchResult]) -> None:
            result = outcome(ended)
            done(result)

        self._engine.watch(order).add_done_callback(tell)
        self._wake.set()

    def listen(self, listener: Callable[[WatchEvent], None]) -> None:
        """As Engine.listen."""
        self._engine.listen(listener)

    def _post(self, event: WatchEvent) -> None:
        webhook = event.watch.request.webhook
        if webhook is not None:
            kind, fields = told_json(event)
            self._courier.post(webhook, encode({"type": kind, **fields}).encode())

    def streams(self) -> list[StreamStatus]:
        """As Engine.streams."""
        return self._engine.streams()

    def ready(self) -> bool:
        """Whether questions are answered now."""
        return not (self._worker_died.is_set() or self._ending.is_set())

    def info(self) -> dict[str, str]:
        """The daemon's version and its model's name."""
        return {"version": __version__, "model": self._config.model.name}

    def run(self, *, on_ready: Callable[[str], None]) -> int:
        """Serve until SIGTERM or SIGINT; a second one ends the process on the spot. The exit code."""
        return asyncio.run(self._until_signalled(on_ready))

    async def _until_signalled(self, on_ready: Callable[[str], None]) -> int:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, _signalled, number, stop)
        if self._reload is not None:
            on_hangup = functools.partial(self._hangup, self._reloader(self._reload), stop)
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup, _at_terminal())
        return await self.serve(stop, on_ready=on_ready)

    async def serve(self, stop: asyncio.Event, *, on_ready: Callable[[str], None]) -> int:
        """Serve until `stop`; calls `on_ready` with the websocket's address. 0, or 1 where the model's thread died."""
        loop = asyncio.get_running_loop()
        self._on_death = functools.partial(loop.call_soon_threadsafe, stop.set)
        if self._worker_died.is_set():
            stop.set()
        server = Server(
            self,
            host=self._config.server.host,
            port=self._config.server.port,
            metrics=self._metrics,
            options=self._server_options,
        )
        scheme = "ws" if self._server_options.tls is None else "wss"
        async with server, _beside(self._supervisor.watch(self.ready)):
            self._supervisor.ready()
            on_ready(f"{scheme}://{self._shown_host()}:{server.port}{PATH}")
            await stop.wait()
            self._on_death = _nothing
            self._supervisor.stopping()
            await asyncio.to_thread(self._stop_readers)
            await server.drain(DRAIN_S)
        return 1 if self._worker_died.is_set() else 0

    def _reloader(self, load: Callable[[], Config]) -> Reloader:
        hands = Hands(
            watched=lambda: [status.name for status in self.streams()],
            check=self._check_stream,
            change=self.change,
            renew=self._renew,
        )
        return Reloader(self._config, load, hands)

    def _hangup(self, reloader: Reloader, stop: asyncio.Event, began_at_terminal: bool) -> None:
        """SIGHUP: somebody wants the configuration reloaded, or the terminal is gone, and with it who could stop us."""
        if began_at_terminal and not _at_terminal():
            _signalled(signal.SIGHUP, stop)
            return
        self._supervisor.reloading()
        ended = asyncio.get_running_loop().run_in_executor(None, reloader.reload)
        ended.add_done_callback(lambda _: self._supervisor.ready())

    def _renew(self) -> None:
        server, context = self._config.server, self._server_options.tls
        if context is not None:
            load_certificate(context, server.tls_cert, server.tls_key)

    def _load(self) -> Backbone:
        name = self._config.model.name
        logger.info("loading the model %s", name)
        began_s = time.monotonic()
        backbone = build_backbone(self._config)
        logger.info("the model %s is loaded after %.1f s", name, time.monotonic() - began_s)
        if name == BUNDLED:
            logger.info(
                "it knows drawn shapes, digits and signs alone; `livevlm models` lists others"
            )
        return backbone

    def _work(self) -> None:
        """The model's thread. An error that escapes the engine is a bug: it ends the daemon, for a supervisor to start anew."""
        try:
            while not self._ending.is_set():
                self._wake.clear()
                if not self._engine.step():
                    self._wake.wait(IDLE_S)
        finally:
            if not self._ending.is_set():
                self._worker_died.set()
                self._on_death()

    def _intake(self, size: tuple[int, int] | None, name: str, settings: StreamConfig) -> Intake:
        """The intake of one stream. ConfigError where its address cannot be one."""
        config = self._config.model_copy(update={"streams": {name: settings}})
        return build_intake(name, config, environ=self._environ, size=size, wake=self._wake.set)

    def _stop_readers(self) -> None:
        if self._watchlist is not None:
            self._watchlist.stop()

    def _shown_host(self) -> str:
        host = self._config.server.host
        return f"[{host}]" if ":" in host else host


def run(
    config: Config,
    *,
    environ: Mapping[str, str],
    on_ready: Callable[[str], None],
    reload: Callable[[], Config] | None = None,
) -> int:
    """Run a daemon until it is told to stop; the exit code. reload: as Daemon's."""
    with Daemon(config, environ=environ, reload=reload) as daemon:
        code = daemon.run(on_ready=on_ready)
    if (
        daemon.stuck
    ):  # leaving the usual way would wait for the model, or tear it down under its feet
        logging.shutdown()
        os._exit(code)
    return code


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Work that goes on beside the body and ends with it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()


def _at_terminal() -> bool:
    """Whether a terminal shows the log; not any more where it was hung up."""
    return os.isatty(2)


def _nothing() -> None:
    """Tell nobody."""


def _signalled(number: int, stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(128 + number)
    logger.info("stopping on %s; once more to force it", signal.Signals(number).name)
    stop.set()
