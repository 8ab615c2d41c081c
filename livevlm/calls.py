"""Calls: what other threads have done on the thread that owns the model, one at a time, each with its outcome."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from livevlm.errors import LiveVLMError

T = TypeVar("T")


class Calls:
    """A queue of calls. `put` may be used from any thread, the rest on the model's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False

    def put(self, call: Callable[[], T]) -> Future[T]:
        """Have it called. The future gets what it returns, or the LiveVLMError that it raises."""
        future: Future[T] = Future()
        with self._lock:
            if not self._closed:
                self._waiting.append((call, future))
                return future
        future.set_exception(_stopping())
        return future

    def run(self) -> bool:
        """Call one; False where there is none."""
        with self._lock:
            if not self._waiting:
                return False
            call, future = self._waiting.popleft()
        try:
            future.set_result(call())
        except LiveVLMError as error:
            future.set_exception(error)
        return True

    def close(self) -> None:
        """Tell whoever waits that nothing will come."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
        for _, future in waiting:
            future.set_exception(_stopping())


def outcome(ended: Future[T]) -> T | LiveVLMError:
    """What a call that has ended gave, or the LiveVLMError that it raised; any other is raised again."""
    error = ended.exception()
    return error if isinstance(error, LiveVLMError) else ended.result()


def _stopping() -> LiveVLMError:
    return LiveVLMError("the daemon is stopping")
