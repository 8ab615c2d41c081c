"""Feed: what waits to be read by one reader, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

from livevlm.errors import LiveVLMError

T = TypeVar("T")


class Feed(Generic[T]):
    """An async iterator over what is put into it, until it is closed. Where more than `most` wait, the oldest are dropped."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[T] = deque()
        self._over = False
        self._error: LiveVLMError | None = None
        self._news = asyncio.Event()

    def put(self, item: T) -> None:
        """One more, for the reader; nobody reads what comes after the end."""
        if self._over:
            return
        if len(self._items) == self._most:
            self._items.popleft()
        self._items.append(item)
        self._news.set()

    def take_newest(self) -> T | None:
        """Take back what was put last, where it has not been read."""
        return self._items.pop() if self._items else None

    def close(self, error: LiveVLMError | None = None) -> None:
        """Nothing more will come; the reader reads what there is, and then meets the error, once."""
        if not self._over:
            self._over, self._error = True, error
            self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The oldest. Raises what the feed was closed with."""
        while not self._items:
            if self._over:
                error, self._error = self._error, None
                raise StopAsyncIteration if error is None else error
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()
