"""Rig: readers, mailboxes, memories and the engine, put together as the daemon does it, and watched while they work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

from livevlm.assembly import build_engine, open_state
from livevlm.backbone import Backbone
from livevlm.config import Config
from livevlm.engine import EngineStream
from livevlm.intake import Intake
from livevlm.metrics import Metrics
from streams import Frame

IDLE_S = 0.1
STOP_S = 5.0


class Rig:
    """A context manager: entering starts the readers, leaving stops them and closes the memories.

    intakes: makes the streams, given what wakes the engine. remembered: told, in the thread that steps, of the frames that a
    step has put into memories. Making one raises ConfigError where settings do not fit.
    """

    def __init__(
        self,
        backbone: Backbone,
        config: Config,
        intakes: Callable[[Callable[[], None]], Sequence[Intake]],
        remembered: Callable[[Sequence[Frame]], None],
    ) -> None:
        self._wake = threading.Event()
        self._remembered = remembered
        self._taken: list[Frame] = []
        self.intakes = list(intakes(self._wake.set))
        self._state = open_state(backbone, config)
        streams = [self._watched(intake.stream) for intake in self.intakes]
        self.engine = build_engine(backbone, config, streams, Metrics(), self._state)

    def __enter__(self) -> Self:
        for intake in self.intakes:
            intake.reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_readers()
        self.engine.close()
        if self._state is not None:
            self._state.close()

    def stop_readers(self) -> None:
        """No more frames come; those that wait can still be taken. May be called again."""
        with ThreadPoolExecutor(len(self.intakes)) as pool:
            list(pool.map(lambda intake: intake.stop(STOP_S), self.intakes))

    def run(self, over: Callable[[], bool]) -> None:
        """Let the engine work until `over`, which is asked after each step."""
        while not over():
            self._wake.clear()
            if not self.step():
                self._wake.wait(IDLE_S)

    def step(self) -> bool:
        """One step of the engine; False where there was nothing to do."""
        worked = self.engine.step()
        if self._taken:
            taken, self._taken = self._taken, []
            self._remembered(taken)
        return worked

    def _watched(self, stream: EngineStream) -> EngineStream:
        def take(limit: int) -> list[Frame]:
            frames = stream.take(limit)
            self._taken += frames
            return frames

        return replace(stream, take=take)
