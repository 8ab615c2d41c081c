"""The faults: how each begins and ends, what the reader must say of itself meanwhile, and one turn of any of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.faults.proxy import FaultProxy
from tests.faults.rules import Corrupted, Gaps, Shifted, Torn, WithoutB, Wrapped
from tests.faults.watch import Watch

REFUSAL = b"RTSP/1.0 %s\r\nCSeq: {cseq}\r\n%s\r\n"
UNAUTHORIZED = REFUSAL % (b"401 Unauthorized", b'WWW-Authenticate: Basic realm="cam"\r\n')
NOT_FOUND = REFUSAL % (b"404 Not Found", b"")
GARBAGE = bytes(range(255, 0, -1)) * 40 + b"\r\n\r\n"
TRICKLE_BYTES_PER_S = 20.0
# So many frames show that pictures flow again.
AFTERWARDS = 3
LOST = frozenset({"STREAM_CONNECTION_FAILED", "STREAM_ENDED"})


class Camera(Protocol):
    """A server that can be taken away and brought back at the same port."""

    def stop(self) -> None:
        """It is gone."""
        ...

    def start(self) -> None:
        """It is there again when this returns."""
        ...


@dataclass(frozen=True, slots=True)
class Rig:
    """What a fault is made with: the proxy that the reader reads through, the server behind it, the reader's watch.

    others: streams of other servers, which must never notice.
    """

    proxy: FaultProxy
    camera: Camera
    watch: Watch
    others: tuple[Watch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. begin: bring it about; it ends when the proxy is healed, unless `end` says otherwise.

    codes: of these errors one must be told before the fault ends; without any the stream must stay open. states: as codes,
    for a state without an error. frames: so many must come before the fault ends. passing: it is over as soon as it happened,
    and the way back begins there. fragile: it may be sat through, or not: a length that was torn may swallow much of what
    follows. jump_s: the stream time that may pass between two pictures beyond what really passed. changing: the camera's
    pictures change their size.
    """

    name: str
    begin: Callable[[Rig], object]
    end: Callable[[Rig], object] = field(default=lambda rig: rig.proxy.heal())
    codes: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    frames: int = 0
    passing: bool = False
    fragile: bool = False
    jump_s: float = 0.5
    changing: bool = False

    @property
    def breaks(self) -> bool:
        """Whether the connection is lost."""
        return bool(self.codes)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a fault showed.

    recovery_s: from the server's return to the next frame. lasted_s: how long the fault lasted. codes: the errors that were
    told. others_gap_s: the widest gap, in stream time or in arrival, of the streams that had no fault.
    sizes: (height, width) of the frames that came.
    """

    fault: str
    recovery_s: float
    lasted_s: float
    codes: tuple[str, ...]
    others_gap_s: float
    sizes: frozenset[tuple[int, ...]]


def _cut_and(then: Callable[[FaultProxy], object]) -> Callable[[Rig], object]:
    """A proxy is prepared, then the connection breaks: what the reader meets is what was prepared."""

    def begin(rig: Rig) -> None:
        then(rig.proxy)
        rig.proxy.cut()

    return begin


def _apply(rule: Callable[[], object]) -> Callable[[Rig], object]:
    return lambda rig: rig.proxy.apply(rule)  # type: ignore[arg-type]


def _restart(rig: Rig) -> None:
    # A port that nobody listens at behind the proxy is refused before it, too.
    rig.camera.stop()
    rig.proxy.refuse()
    rig.proxy.cut()


def _restarted(rig: Rig) -> None:
    rig.camera.start()
    rig.proxy.heal()


FAULTS = (
    Fault(
        name="refused",
        begin=_cut_and(FaultProxy.refuse),
        codes=frozenset({"STREAM_CONNECTION_FAILED"}),
    ),
    Fault(
        name="silent",
        begin=_cut_and(FaultProxy.silence),
        codes=frozenset({"STREAM_TIMEOUT"}),
    ),
    Fault(
        name="unauthorized",
        begin=_cut_and(lambda proxy: proxy.answer(UNAUTHORIZED)),
        codes=frozenset({"STREAM_AUTH"}),
    ),
    Fault(
        name="not found",
        begin=_cut_and(lambda proxy: proxy.answer(NOT_FOUND)),
        codes=frozenset({"STREAM_NOT_FOUND"}),
    ),
    Fault(
        name="garbage",
        begin=_cut_and(lambda proxy: proxy.answer(GARBAGE)),
        codes=frozenset({"STREAM_TIMEOUT", "STREAM_CORRUPT"}),
    ),
    Fault(
        name="reset",
        begin=lambda rig: rig.proxy.cut(reset=True),
        codes=LOST,
        frames=5,
        passing=True,
    ),
    Fault(
        name="half-open",
        begin=lambda rig: rig.proxy.vanish(),
        codes=frozenset({"STREAM_TIMEOUT"}),
    ),
    Fault(
        name="trickle",
        begin=lambda rig: rig.proxy.trickle(TRICKLE_BYTES_PER_S),
        codes=frozenset({"STREAM_TIMEOUT", "STREAM_STALLED"}),
    ),
    Fault(name="restart", begin=_restart, end=_restarted, codes=LOST),
    Fault(
        name="stall and burst",
        begin=lambda rig: rig.proxy.hold(),
        states=frozenset({"stalled"}),
    ),
    Fault(name="corrupted", begin=_apply(Corrupted), frames=20, jump_s=2.0),
    Fault(name="gaps", begin=_apply(Gaps), frames=20, jump_s=2.0),
    Fault(name="torn framing", begin=_apply(Torn), frames=20, fragile=True),
    Fault(name="without B-frames", begin=_apply(WithoutB), frames=20),
    Fault(name="jump forward", begin=_apply(lambda: Shifted(3600)), frames=20),
    Fault(name="jump backward", begin=_apply(lambda: Shifted(-3600)), frames=20),
    Fault(
        name="wrap",
        begin=_cut_and(lambda proxy: proxy.apply(Wrapped)),
        codes=LOST,
        frames=60,
        passing=True,
    ),
    Fault(name="size change", begin=lambda rig: None, frames=60, changing=True),
)


def play(fault: Fault, rig: Rig, *, hold_s: float = 0.0) -> Turn:
    """One turn: the fault begins, is noticed or sat through, ends, and pictures flow again. AssertionError where not so.

    hold_s: how long a fault that breaks the connection lasts beyond being noticed.
    """
    watch = rig.watch
    for each in (watch, *rig.others):
        each.begin_anew()
    reconnects, began_s = watch.status.reconnects, time.monotonic()
    others = [(each.status.reconnects, each.status.received) for each in rig.others]
    fault.begin(rig)
    try:
        if fault.codes or fault.states:
            watch.until_seen(fault.name, fault.states, fault.codes)
        codes = tuple(sorted(watch.codes))
        if fault.passing:
            watch.begin_anew()  # A picture may have been under way when the connection broke.
        elif fault.breaks:
            time.sleep(hold_s)
        if fault.frames:
            watch.until(f"frames during {fault.name}", lambda notes: notes.frames >= fault.frames)
        during = watch.begin_anew()
    finally:
        fault.end(rig)
    ended_s = time.monotonic()
    after = watch.until(f"frames after {fault.name}", lambda notes: notes.frames >= AFTERWARDS)
    back_s = during.first_s - began_s if fault.passing else after.first_s - ended_s
    assert not during.wrong + after.wrong, during.wrong + after.wrong
    assert watch.status.state == "live", watch.status
    assert watch.status.reconnects - reconnects >= fault.breaks, "it was never lost"
    if not fault.breaks and not fault.fragile:
        assert watch.status.reconnects == reconnects, "a stream that could go on was lost"
        assert during.step_s <= during.silence_s + fault.jump_s, f"time jumped: {during}"
    sizes, lasted_s = frozenset(during.sizes | after.sizes), ended_s - began_s
    return Turn(fault.name, max(0.0, back_s), lasted_s, codes, _unmoved(rig, others), sizes)


def _unmoved(rig: Rig, before: list[tuple[int, int]]) -> float:
    """The widest gap that the others saw, in stream time or in arrival. AssertionError where one of them was lost."""
    widest_s = 0.0
    for each, (reconnects, received) in zip(rig.others, before, strict=True):
        notes = each.notes()
        assert not notes.wrong, notes.wrong
        assert each.status.reconnects == reconnects, f"another stream was lost: {each.status}"
        assert each.status.received > received, "another stream stood still"
        widest_s = max(widest_s, notes.step_s, notes.silence_s)
    return widest_s
