"""Link: one open connection that carries events; and how long it is waited for when it broke."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from livevlm.errors import ServerUnreachable


class Link(Protocol):
    """Events as texts, in order, both ways. `send` and `recv` raise ServerUnreachable when the link is lost."""

    async def send(self, text: str) -> None: ...
    async def recv(self) -> str | bytes: ...
    async def close(self) -> None: ...


Dial = Callable[[], Awaitable[Link]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How a lost connection is made anew. Seconds.

    The waits are drawn from 0 to `first_s`, then to twice as much each time, at most `longest_s`: a daemon that starts again is
    not met by all its clients at once. Who waits for something is told after `patience_s` without a connection; the tries go
    on. The last three are for tests.
    """

    first_s: float = 0.25
    longest_s: float = 10.0
    patience_s: float = 60.0
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic

    def wait_s(self, failed: int) -> float:
        """How long to wait when so many tries in a row have come to nothing."""
        return self.random() * min(self.longest_s, self.first_s * 2.0 ** min(failed, 60))


class NotAdmitted(ServerUnreachable):
    """There is a daemon, and it does not let this client in: trying again does not help."""
