"""Journal: what a stream's thread writes down about itself, and everyone may read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from streams.errors import StreamError

State = Literal["connecting", "live", "stalled", "reconnecting", "paused", "ended", "failed"]
DROP_REASONS = ("backpressure", "before_keyframe", "corrupt", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderStatus:
    """A stream's reader at one moment.

    received: pictures decoded, or never to be ("skipped"); sampled: frames put into the mailbox; dropped: pictures lost, by reason. error_code, error: why
    the stream is not live now, None when all is well. last_frame_utc: POSIX seconds when the newest picture came.
    """

    state: State
    error_code: str | None
    error: str | None
    received: int
    sampled: int
    dropped: dict[str, int]
    reconnects: int
    last_frame_utc: float | None
    live: bool


class Journal:
    """The state and the counts of one stream. Written by its thread, read by any."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._state: State = "connecting"
        self._error: StreamError | None = None
        self._received = 0
        self._sampled = 0
        self._lost: Counter[str] = Counter()
        self._openings = 0
        self._reconnects = 0
        self._last_frame_utc: float | None = None

    @property
    def state(self) -> State:
        """The state noted last."""
        return self._state

    @property
    def received(self) -> int:
        """Pictures decoded so far, or skipped."""
        return self._received

    @property
    def openings(self) -> int:
        """How often a source was opened and gave a picture."""
        return self._openings

    def enter(self, state: State, error: StreamError | None = None) -> None:
        """Note a new state, and why."""
        with self._lock:
            self._state = state
            self._error = error

    def opened(self, *, live: bool) -> None:
        """Note the first picture of an opening; a recording that begins again was not lost before."""
        with self._lock:
            self._reconnects += live and self._openings > 0 and self._state == "reconnecting"
            self._openings += 1
            self._state = "live"
            self._error = None

    def receive(self, utc: float) -> None:
        """Note a decoded picture."""
        with self._lock:
            self._received += 1
            self._last_frame_utc = utc

    def hear(self, utc: float) -> None:
        """Note that a picture came that is not decoded, or not yet."""
        with self._lock:
            self._last_frame_utc = utc

    def sample(self) -> None:
        """Note a frame put into the mailbox."""
        with self._lock:
            self._sampled += 1

    def lose(self, reason: str) -> None:
        """Note a lost picture."""
        with self._lock:
            self._lost[reason] += 1
            self._received += reason == "skipped"

    def status(self, *, live: bool, backpressure: int, silent: bool) -> ReaderStatus:
        """All of it; `silent` turns live into stalled."""
        with self._lock:
            dropped = dict.fromkeys(DROP_REASONS, 0) | self._lost | {"backpressure": backpressure}
            return ReaderStatus(
                state="stalled" if silent and self._state == "live" else self._state,
                error_code=self._error.code if self._error else None,
                error=self._error.message if self._error else None,
                received=self._received,
                sampled=self._sampled,
                dropped=dropped,
                reconnects=self._reconnects,
                last_frame_utc=self._last_frame_utc,
                live=live,
            )
