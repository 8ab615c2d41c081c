"""Aside: a thread that runs an asyncio loop for those who do not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from livevlm.client.carrier import CLOSED
from livevlm.errors import ServerUnreachable

T = TypeVar("T")


class Aside:
    """To be entered; other threads may then wait for what is done on its loop. Leaving cancels what is still done there."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._open = False
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="livevlm-client", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of it. Whoever is interrupted while waiting (Ctrl-C) has it cancelled. Raises ServerUnreachable after the
        end.
        """
        if not self._open:
            work.close()
            raise ServerUnreachable(CLOSED)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def each(self, events: AsyncIterator[T]) -> Iterator[T]:
        """One after the other, as they come; leaving it early closes a generator."""

        async def following() -> T | None:
            return await anext(events, None)

        async def leaving() -> None:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

        try:
            while (event := self.wait(following())) is not None:
                yield event
        finally:
            if self._open:
                self.wait(leaving())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._open = True
        self._ready.set()
        await self._stop.wait()
