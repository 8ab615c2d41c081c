"""Watches: all watches of a daemon. They are looked after on the model's thread, at most one evaluation at a time.

After a chunk of a stream, `saw` makes its watches due. Each `step` then takes the longest due ones: those whose stream looks as
it did are passed over by the gate, the first other is evaluated. A watch is due once however many chunks came meanwhile, and is
evaluated on the newest frame, so what is due never grows and a slow model only looks less often.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from livevlm.errors import (
    LiveVLMError,
    StreamNotFound,
    TooManyWatches,
    WatchExists,
    WatchNotFound,
)
from livevlm.ingest import StreamIngest
from livevlm.messages import AsOf, Evidence
from livevlm.tokens import FrameTokens
from livevlm.watching.gate import GateOptions, Look, opens
from livevlm.watching.life import Life, ended, observed, passed
from livevlm.watching.orders import (
    Dropped,
    DropWatch,
    Listed,
    ListWatches,
    Made,
    MakeWatch,
    WatchOrder,
    WatchResult,
)
from livevlm.watching.store import Kept, WatchStore
from livevlm.watching.watch import Change, Watch, WatchEvent, WatchRequest, WatchStatus
from livevlm.watching.wording import question_for
from memory import StreamMemory

logger = logging.getLogger(__name__)

Judge = Callable[[StreamMemory, str], float]
Find = Callable[[str], StreamIngest]
Listener = Callable[[WatchEvent], None]
BUSY_S = 0.25  # while answers are being made, so long between two evaluations


class Counts(Protocol):
    """What is counted of the watches."""

    def watch_evaluated(self, seconds: float) -> None: ...
    def watch_skipped(self) -> None: ...
    def watch_triggered(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """most: how many watches there may be, over or not."""

    most: int = 64
    gate: GateOptions = field(default_factory=GateOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """utc: POSIX seconds. monotonic: seconds, for intervals."""

    utc: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class _Looked:
    """A watch while the daemon lives."""

    watch: Watch
    question: str
    life: Life = field(default_factory=Life)
    last: Look | None = None
    probability: float | None = None
    evaluations: int = 0
    skipped: int = 0
    triggers: int = 0
    triggered_utc: float | None = None

    def status(self) -> WatchStatus:
        """As others see it."""
        webhook = self.watch.request.webhook
        return WatchStatus(
            watch=self.watch,
            state=self.life.state,
            probability=self.probability,
            evaluations=self.evaluations,
            skipped=self.skipped,
            triggers=self.triggers,
            triggered_utc=self.triggered_utc,
            webhook=None if webhook is None else webhook.shown,
        )

    def kept(self) -> Kept:
        """As it is written down."""
        return Kept(
            watch=self.watch,
            life=self.life,
            triggers=self.triggers,
            triggered_utc=self.triggered_utc,
        )


class Watches:
    """Not thread-safe: the model's thread owns it. Listeners are told on that thread and must not block."""

    def __init__(
        self,
        judging: Callable[[], Judge],
        options: WatchOptions,
        *,
        counts: Counts,
        new_id: Callable[[], str],
        store: WatchStore | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        """judging: makes what gives the probability that a question is answered by yes, once there is a watch.

        Raises ConfigError where the store cannot be read, and what `judging` raises.
        """
        self._judging, self._options, self._counts = judging, options, counts
        self._judge: Judge | None = None
        self._new_id, self._store, self._clocks = new_id, store, clocks or Clocks()
        self._watches: dict[str, _Looked] = {}
        self._due: deque[str] = deque()
        self._listeners: tuple[Listener, ...] = ()
        self._evaluated_s = -math.inf
        for kept in store.read() if store else ():
            self._watches[kept.watch.id] = _Looked(
                kept.watch,
                question_for(kept.watch.request.condition),
                kept.life,
                triggers=kept.triggers,
                triggered_utc=kept.triggered_utc,
            )
        if self._watches:
            self._judge = judging()

    def listen(self, listener: Listener) -> None:
        """Tell every event to this one too, from now on."""
        self._listeners = (*self._listeners, listener)

    def carry_out(self, order: WatchOrder) -> WatchResult:
        """Do what is asked. Raises TooManyWatches, WatchExists, WatchNotFound, what `judging` raises, and LiveVLMError where
        it cannot be written down.
        """
        match order:
            case MakeWatch(request):
                return Made(self._make(request))
            case ListWatches():
                return Listed(tuple(one.status() for one in self._watches.values()))
            case DropWatch(watch):
                return Dropped(self._drop(watch))

    def _make(self, request: WatchRequest) -> WatchStatus:
        if len(self._watches) >= self._options.most:
            raise TooManyWatches(
                f"there are {len(self._watches)} watches already, no more may be; delete one, also of those that are over"
            )
        if request.name is not None and self._named(request.name):
            raise WatchExists(
                f"a watch is called {request.name!r} already; delete it, or take another name"
            )
        self._judge = self._judge or self._judging()
        now = self._clocks.utc()
        lasts = math.inf if request.lasts_s is None else request.lasts_s
        watch = Watch(id=self._new_id(), request=request, created_utc=now, expires_utc=now + lasts)
        made = _Looked(watch, question_for(request.condition))
        self._write([*self._watches.values(), made])
        self._watches[watch.id] = made
        # What is in view already counts: the newest frame is looked at without waiting for the next.
        self._due.append(watch.id)
        return made.status()

    def _drop(self, named: str) -> WatchStatus:
        gone = self._watches.get(named) or self._named(named)
        if gone is None:
            there = ", ".join(
                one.watch.request.name or one.watch.id for one in self._watches.values()
            )
            raise WatchNotFound(f"there is no watch {named[:100]!r}; there are: {there or 'none'}")
        self._write([one for one in self._watches.values() if one is not gone])
        del self._watches[gone.watch.id]
        return gone.status()

    def _named(self, name: str) -> _Looked | None:
        return next((one for one in self._watches.values() if one.watch.request.name == name), None)

    def _write(self, watches: Iterable[_Looked]) -> None:
        if self._store is None:
            return
        try:
            self._store.write(one.kept() for one in watches)
        except OSError as error:
            raise LiveVLMError(
                f"the watches cannot be written down: {error.strerror or error}; see to the disk of server.state_dir"
            ) from error

    def saw(self, stream: str) -> None:
        """A stream has shown something new."""
        for id_, one in self._watches.items():
            if one.watch.stream == stream and not one.life.over and id_ not in self._due:
                self._due.append(id_)

    def step(self, find: Find, *, busy: bool) -> bool:
        """Evaluate at most one watch; False where none was. find: a stream's write path; it raises StreamNotFound where there
        is none, and the watch sleeps until there is one again. busy: answers are being made, which go first.
        """
        self._expire()
        if busy and self._clocks.monotonic() - self._evaluated_s < BUSY_S:
            return False
        while self._due:
            one = self._watches.get(self._due.popleft())
            if one is None:
                continue
            try:
                ingest = find(one.watch.stream)
            except StreamNotFound:
                continue
            if ingest.newest is not None and self._look(one, ingest, ingest.newest):
                return True
        return False

    def _look(self, one: _Looked, ingest: StreamIngest, newest: FrameTokens) -> bool:
        """Evaluate a watch, if it wants that and its stream looks different; whether it was."""
        assert self._judge is not None
        as_of = AsOf(stream_s=newest.pts_s, utc=newest.captured_utc)
        before, rule = one.life.state, one.watch.rule
        one.life = passed(one.life, rule, as_of.utc)
        if before == "cooling" and one.life.state == "armed":
            one.last = None
        if not one.life.looks:
            return False
        look = Look(newest.embeds.mean(0), as_of.utc)
        if not one.life.unsure and not opens(one.last, look, self._options.gate):
            one.skipped += 1
            self._counts.watch_skipped()
            return False
        began = self._clocks.monotonic()
        one.probability = self._judge(ingest.memory, one.question)
        self._evaluated_s = self._clocks.monotonic()
        self._counts.watch_evaluated(self._evaluated_s - began)
        one.last, one.evaluations = look, one.evaluations + 1
        one.life, change = observed(one.life, rule, one.probability, as_of.utc)
        if change is not None:
            self._tell(one, change, as_of, _evidence(one, as_of, newest.number, ingest.memory))
        return True

    def _expire(self) -> None:
        now = self._clocks.utc()
        for one in self._watches.values():
            if one.watch.expires_utc <= now and not one.life.over:
                one.life, change = ended(one.life)
                if change is not None:
                    self._tell(one, change)

    def _tell(
        self,
        one: _Looked,
        change: Change,
        as_of: AsOf | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        if change == "triggered" and as_of is not None:
            one.triggers, one.triggered_utc = one.triggers + 1, as_of.utc
            self._counts.watch_triggered()
        try:
            self._write(self._watches.values())
        except LiveVLMError as error:
            logger.error("watch %s: it has %s, but %s", one.watch.id, change, error.message)
        event = WatchEvent(
            change=change,
            watch=one.watch,
            at=as_of,
            probability=None if as_of is None else one.probability,
            evidence=evidence,
        )
        for listener in self._listeners:
            listener(event)


def _evidence(one: _Looked, as_of: AsOf, frame: int, memory: StreamMemory) -> Evidence:
    """The newest frame: the question was about it."""
    archive = memory.archive
    pictured = archive is not None and archive.picture(frame) is not None
    return Evidence(
        stream=one.watch.stream,
        from_s=as_of.stream_s,
        to_s=as_of.stream_s,
        from_utc=as_of.utc,
        to_utc=as_of.utc,
        score=one.probability or 0.0,
        tier="short",
        picture=frame if pictured else None,
    )
