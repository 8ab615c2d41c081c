"""Journal: what a stream's thread writes down about itself, and everyone may read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from streams.chronicle import Change, Chronicle
from streams.drift import DriftReading
from streams.errors import StreamError
from streams.ledger import Ledger
from streams.life import Event, Refused, State, after
from streams.mailbox import Mailbox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderStatus:
    """A stream's reader at one moment.

    state: see streams/life.py; since_utc: when it was entered, POSIX seconds. error_code, error: why the stream is not live
    now, None when all is well. next_try_s: seconds until it is opened again, None where that is not waited for. received,
    unsampled, sampled, dropped, waiting, taken: see Tally; received = unsampled + all of dropped + waiting + taken.
    last_frame_utc: POSIX seconds when the newest picture came. drift: of the camera's clock.
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
    unsampled: int = 0
    waiting: int = 0
    taken: int = 0
    since_utc: float | None = None
    next_try_s: float | None = None
    drift: DriftReading = field(default_factory=DriftReading)


class Journal:
    """The state and the counts of one stream. Written by its thread and by whoever commands it, read by any."""

    def __init__(
        self,
        chronicle: Chronicle,
        *,
        utc: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._lock = Lock()
        self._chronicle, self._utc, self._monotonic = chronicle, utc, monotonic
        self._state: State = "connecting"
        self._since_utc = utc()
        self._error: StreamError | None = None
        self._next_try_s: float | None = None
        self._ledger = Ledger()
        self._reconnects = 0
        self._last_frame_utc: float | None = None

    @property
    def state(self) -> State:
        """The state the stream is in."""
        return self._state

    @property
    def seen(self) -> bool:
        """Whether a picture came yet."""
        return self._last_frame_utc is not None

    def tell(
        self, event: Event, error: StreamError | None = None, next_try_s: float | None = None
    ) -> bool:
        """Something happened to the stream, and why; False where it means nothing in the state that it is in.

        What comes too late is refused like that: the last picture of a stream that was paused or stopped meanwhile.
        """
        with self._lock:
            before = self._state
            try:
                self._state = after(before, event)
            except Refused:
                return False
            if before == self._state and error is None:
                return True
            now_s = self._monotonic()
            if before != self._state:
                self._since_utc = self._utc()
            self._reconnects += (before, event) == ("reconnecting", "picture")
            self._error = error
            self._next_try_s = None if next_try_s is None else now_s + next_try_s
            change = Change(before=before, after=self._state, error=error, next_try_s=next_try_s)
            line = self._chronicle.tell(change, now_s)
        if line is not None:
            logger.log(line.level, "%s", line.text)
        return True

    def trying(self) -> None:
        """The source is being opened now."""
        with self._lock:
            self._next_try_s = None

    def come(self, *, kept: bool) -> None:
        """A picture was decoded, and is kept or not."""
        with self._lock:
            self._ledger.come(kept=kept)
            self._last_frame_utc = self._utc()

    def hear(self) -> None:
        """A picture came that is not decoded, or not yet."""
        with self._lock:
            self._last_frame_utc = self._utc()

    def hand_over(self) -> None:
        """The kept picture went into the mailbox."""
        with self._lock:
            self._ledger.hand_over()

    def let_go(self, reason: str) -> None:
        """The kept picture goes nowhere."""
        with self._lock:
            self._ledger.let_go(reason)

    def lose(self, reason: str) -> None:
        """A picture did not come out of the decoder."""
        with self._lock:
            self._ledger.lose(reason)

    def settle(self) -> None:
        """An opening is over: no frame comes any more of a picture that was kept."""
        with self._lock:
            self._ledger.settle()

    def status(self, mailbox: Mailbox, *, live: bool, drift: DriftReading) -> ReaderStatus:
        """All of it at one moment, and what the mailbox counted."""
        in_mailbox = mailbox.counts()
        with self._lock:
            tally = self._ledger.tally(in_mailbox, mailbox.reason)
            due_s = self._next_try_s
            return ReaderStatus(
                state=self._state,
                since_utc=self._since_utc,
                error_code=self._error.code if self._error else None,
                error=self._error.message if self._error else None,
                next_try_s=None if due_s is None else max(0.0, due_s - self._monotonic()),
                received=tally.received,
                unsampled=tally.unsampled,
                sampled=tally.sampled,
                dropped=tally.dropped,
                waiting=tally.waiting,
                taken=tally.taken,
                reconnects=self._reconnects,
                last_frame_utc=self._last_frame_utc,
                live=live,
                drift=drift,
            )
