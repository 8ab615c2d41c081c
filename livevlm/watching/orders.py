"""Orders: what is asked of the watches, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from livevlm.errors import LiveVLMError
from livevlm.watching.watch import WatchRequest, WatchStatus


@dataclass(frozen=True, slots=True)
class MakeWatch:
    """Watch for this from now on."""

    request: WatchRequest


@dataclass(frozen=True, slots=True)
class ListWatches:
    """Which watches are there?"""


@dataclass(frozen=True, slots=True)
class DropWatch:
    """Watch no longer. watch: its id, or its name."""

    watch: str


@dataclass(frozen=True, slots=True)
class Made:
    """The new watch."""

    status: WatchStatus


@dataclass(frozen=True, slots=True)
class Listed:
    """All watches, in the order of their making; those that are over stay until they are dropped."""

    statuses: tuple[WatchStatus, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """The watch that is gone, as it was."""

    status: WatchStatus


WatchOrder = MakeWatch | ListWatches | DropWatch
WatchResult = Made | Listed | Dropped
WatchDone = Callable[[WatchResult | LiveVLMError], None]
