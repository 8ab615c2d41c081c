"""Outbox: what waits to be sent to one client, bounded in bytes."""

from __future__ import annotations

import asyncio
from collections import deque


class Outbox:
    """A queue of texts for one asyncio loop. When full, it takes no more: the client reads too slowly to be served."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._texts: deque[str] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = asyncio.Event()

    def put(self, text: str) -> bool:
        """Queue a text of ASCII; False when it does not fit. Into an empty queue any fits; a closed one drops it."""
        if self._closed:
            return True
        if self._texts and self._bytes + len(text) > self._limit:
            return False
        self._texts.append(text)
        self._bytes += len(text)
        self._changed.set()
        return True

    async def get(self) -> str | None:
        """The oldest text, or None when the queue is closed and empty."""
        while not self._texts:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        text = self._texts.popleft()
        self._bytes -= len(text)
        return text

    def close(self) -> None:
        """Take no more; what is queued may still be got."""
        self._closed = True
        self._changed.set()

    def discard(self) -> None:
        """Take no more, and forget what is queued."""
        self._texts.clear()
        self._bytes = 0
        self.close()
