"""ReaderOptions: how a stream is read, and what reading it stands on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from streams.address import Address
from streams.backoff import Backoff
from streams.doorbell import reachable
from streams.open import open_source
from streams.source import Source, SourceOptions


class Opener(Protocol):
    """Makes the source behind an address."""

    def __call__(self, url: str, *, name: str, options: SourceOptions) -> Source: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """How a stream is read.

    fps: frames a second of stream time that go into the mailbox. source: how to open it; its `keep`, `on_drop` and `cancelled`
    are the reader's own. stall_timeout_s: a live source without a picture for this long is opened anew. speed: of a recording,
    as a multiple of real time, or "max" for as fast as frames are taken. loop: begin a recording again at its end. knock_s: how
    often a lost source is looked for, without opening it, while the back-off lasts. gate, gate_longest_s: see Gate. The rest
    is there to be replaced in tests.
    """

    fps: float = 1.0
    source: SourceOptions = field(default_factory=SourceOptions)
    stall_timeout_s: float = 15.0
    backoff: Backoff = field(default_factory=Backoff)
    speed: float | Literal["max"] = "max"
    loop: bool = False
    knock_s: float = 0.5
    gate: float = 0.0
    gate_longest_s: float = 10.0
    monotonic: Callable[[], float] = time.monotonic
    opener: Opener = open_source
    reachable: Callable[[Address], bool] = reachable

    def __post_init__(self) -> None:
        if self.speed != "max" and not self.speed > 0:
            raise ValueError(f"speed must be above 0 or 'max', not {self.speed}")
        if self.stall_timeout_s <= 0 or self.knock_s <= 0:
            raise ValueError("stall_timeout_s and knock_s must be above 0 seconds")
