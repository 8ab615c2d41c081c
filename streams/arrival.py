"""Arrival: when pictures come, held against their time stamps.

What can be told from here: how evenly pictures come, whether their way gets longer, and whether the camera's clock runs as ours
does. How old a picture is when it comes cannot: stamps begin anywhere, and a constant delay looks like none. Only a camera that
says what its wall clock showed (RTCP sender reports) tells that, and only as well as both clocks are set.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# A step between two stamps beyond this is a jump: what lies on its two sides cannot be compared.
JUMP_S = 10.0
# Less than this tells nothing about a drift.
DRIFT_AFTER_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalReport:
    """How a live source's pictures come. Delay is arrival minus stamp; only its changes mean anything.

    jitter_s: the change of the delay from one picture to the next, as a mean. spread_s: the longest delay minus the shortest.
    drift_s_per_min: by how much the delay grows a minute, below 0 where pictures come ever earlier; None where too little was
    seen. age_s: how old the usual picture is when it comes, by the camera's own wall clock; None where it does not tell.
    """

    jitter_s: float
    spread_s: float
    drift_s_per_min: float | None
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A packet: its stamp, when it came on a monotonic clock, and how old it was, where it tells; all in seconds."""

    stamp_s: float
    arrived_s: float
    age_s: float | None = None


def arrival_report(moments: Sequence[Moment]) -> ArrivalReport | None:
    """What the packets' arrival shows, in the order of their coming; None where they are too few."""
    stretch = max(_stretches(moments), key=len, default=[])
    if len(stretch) < 3:
        return None
    delays = [one.arrived_s - one.stamp_s for one in stretch]
    ages = [one.age_s for one in moments if one.age_s is not None]
    return ArrivalReport(
        jitter_s=statistics.fmean(abs(late - early) for early, late in pairwise(delays)),
        spread_s=max(delays) - min(delays),
        drift_s_per_min=_drift(stretch),
        age_s=statistics.median(ages) if ages else None,
    )


def _stretches(moments: Sequence[Moment]) -> list[list[Moment]]:
    """Cut where stamps jump or run back."""
    cut: list[list[Moment]] = []
    for one in moments:
        if not cut or not 0 <= one.stamp_s - cut[-1][-1].stamp_s <= JUMP_S:
            cut.append([])
        cut[-1].append(one)
    return cut


def _drift(stretch: Sequence[Moment]) -> float | None:
    """Of each half, the picture that was held up least: what a burst at the opening or a late picture shows is no drift."""
    middle_s = (stretch[0].arrived_s + stretch[-1].arrived_s) / 2
    halves = [
        [one for one in stretch if (one.arrived_s >= middle_s) is late] for late in (False, True)
    ]
    if stretch[-1].arrived_s - stretch[0].arrived_s < DRIFT_AFTER_S or not all(halves):
        return None
    first, second = (min(half, key=lambda one: one.arrived_s - one.stamp_s) for half in halves)
    grown_s = (second.arrived_s - second.stamp_s) - (first.arrived_s - first.stamp_s)
    return 60 * grown_s / (second.arrived_s - first.arrived_s)
