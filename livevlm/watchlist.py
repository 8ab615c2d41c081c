"""Watchlist: the daemon's streams, which are added, removed, paused and resumed while it runs.

Changes are made one after the other on a thread of their own: opening files, saving a memory and waiting for a reader to end
take their time, in which the model answers and the sockets are served.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

from livevlm.changes import (
    AddStream,
    Change,
    Changed,
    PauseStream,
    RemoveStream,
    ResumeStream,
    Told,
)
from livevlm.engine import Engine
from livevlm.errors import (
    ConfigError,
    LiveVLMError,
    NotErased,
    SettingError,
    StreamExists,
    StreamNotFound,
    TooManyStreams,
)
from livevlm.intake import Intake
from livevlm.metrics import Metrics
from livevlm.persistence import erase_stream
from livevlm.watchconfig import StreamConfig

logger = logging.getLogger(__name__)

READER_S = (
    1.5  # how long a reader is waited for that is to end; it ends by itself where it takes longer
)
T = TypeVar("T")


class Watchlist:
    """`start` it once, `stop` it, and `join` it when the engine has been closed."""

    def __init__(
        self,
        engine: Engine,
        intakes: Iterable[Intake],
        *,
        build: Callable[[str, StreamConfig], Intake],
        most: int,
        metrics: Metrics,
        wake: Callable[[], None],
        state: Path | None,
    ) -> None:
        """intakes: of the streams that the engine watches from the beginning, not started. build: makes one more, or raises
        ConfigError. most: streams that may be watched at once. wake: tells the model's thread that there is work. state: the
        folder in which memories outlive the daemon.
        """
        self._engine, self._build, self._most = engine, build, most
        self._metrics, self._wake, self._state = metrics, wake, state
        self._intakes = {intake.stream.name: intake for intake in intakes}
        self._lock = threading.Lock()  # guards _stopping, and _intakes against starting one late
        self._stopping = False
        self._waiting: queue.SimpleQueue[tuple[Change, Told] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="watchlist", daemon=True)

    def start(self) -> None:
        """Begin to read all streams, and take changes."""
        for intake in self._intakes.values():
            _start(intake)
        self._thread.start()

    def change(self, change: Change, told: Told) -> None:
        """Accept a change, from any thread; what came of it goes to `told` on another one, and `told` must not block.

        Raises LiveVLMError when the daemon is stopping.
        """
        with self._lock:
            if self._stopping:
                raise _stopping()
            self._waiting.put((change, told))

    def stop(self) -> None:
        """Take no more changes, and stop all readers at once: one that hangs does not hold up the others."""
        with self._lock:
            self._stopping = True
            intakes = list(self._intakes.values())
            self._waiting.put(None)
        if intakes:
            with ThreadPoolExecutor(len(intakes)) as pool:
                list(pool.map(lambda intake: intake.stop(READER_S), intakes))

    def join(self, timeout_s: float) -> None:
        """Wait for the change that is being made. The engine must have been closed, or the change may wait for it."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        try:
            while (work := self._waiting.get()) is not None:
                self._make(*work)
        finally:
            # A fault ends this thread; nobody may wait for it then.
            with self._lock:
                self._stopping = True
            while not self._waiting.empty():
                work = self._waiting.get()
                if work is not None:
                    work[1](_stopping())

    def _make(self, change: Change, told: Told) -> None:
        result: Changed | LiveVLMError = LiveVLMError("a fault of the daemon; its log says more")
        try:
            result = self._made(change)
        except LiveVLMError as error:
            result = error
        finally:
            told(result)

    def _made(self, change: Change) -> Changed:
        if self._stopping:
            raise _stopping()
        match change:
            case AddStream():
                return self._add(change)
            case RemoveStream():
                return self._remove(change)
            case PauseStream():
                self._intake(change.name).reader.pause()
            case ResumeStream():
                self._intake(change.name).reader.resume()
        return self._changed("updated", change.name)

    def _add(self, change: AddStream) -> Changed:
        name = change.name
        if name in self._intakes:
            raise StreamExists(
                f"a stream is called {name!r} already; remove it, or take another name"
            )
        if len(self._intakes) >= self._most:
            raise TooManyStreams(
                f"{len(self._intakes)} streams are watched, which is as many as may be; remove one, or set server.max_streams"
            )
        try:
            intake = self._build(name, change.settings)
        except ConfigError as error:
            raise SettingError(error.message, param="url") from error
        watched = self._engine.prepare(intake.stream)
        try:
            self._on_the_models_thread(self._engine.admit(watched))
        except LiveVLMError:
            watched.ingest.close()
            raise
        with self._lock:
            if self._stopping:
                raise _stopping()  # the engine is closed soon, and with it this memory
            self._intakes[name] = intake
            _start(intake)
        return self._changed("added", name)

    def _remove(self, change: RemoveStream) -> Changed:
        name = change.name
        gone = Changed(what="removed", name=name, status=None)
        if change.forget and name not in self._intakes and self._erase(name):
            return gone  # it was removed before, and only what was kept of it is to go too
        self._intake(name).stop(READER_S)
        ingest = self._on_the_models_thread(self._engine.dismiss(name))
        del self._intakes[name]
        self._metrics.forget_stream(name)
        if change.forget:
            ingest.leave()
            self._erase(name)
        else:
            ingest.close(anew=not change.for_now)
        logger.info("stream %s: removed%s", name, ", and forgotten" if change.forget else "")
        return gone

    def _erase(self, name: str) -> bool:
        try:
            return self._state is not None and erase_stream(self._state, name)
        except OSError as error:
            raise NotErased(
                f"{name}: what was forgotten may still lie on disk: {error}; see to the disk and remove it again"
            ) from error

    def _intake(self, name: str) -> Intake:
        if name not in self._intakes:
            known = ", ".join(sorted(self._intakes)) or "none"
            raise StreamNotFound(f"no stream is called {name!r}; there are: {known}")
        return self._intakes[name]

    def _on_the_models_thread(self, future: Future[T]) -> T:
        self._wake()
        return future.result()

    def _changed(self, what: Literal["added", "updated"], name: str) -> Changed:
        (status,) = (status for status in self._engine.streams() if status.name == name)
        return Changed(what=what, name=name, status=status)


def _start(intake: Intake) -> None:
    if not intake.reader.viewing.over:
        logger.info("stream %s: watching %s", intake.stream.name, intake.stream.source)
    intake.reader.start()


def _stopping() -> LiveVLMError:
    return LiveVLMError("the daemon is stopping")
