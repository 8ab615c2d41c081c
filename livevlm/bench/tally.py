"""Tally: what contenders got right, by type of question and distance, and what it cost them.

Which types the model itself can answer is judged by streams of which everything is kept and read (`full+full`), or, where
there are none, by the best of what keeps everything: a type below the floor says more about the model than about memories,
and is shown but left out of every conclusion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from livevlm.bench.contenders import EVERYTHING, Contender
from livevlm.bench.sitting import Mark, Sitting
from livevlm.cli.output import size
from livevlm.training.evaluate import Score

Weak = Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class Result:
    """All that one contender did in streams of one length. everything_bytes: what the whole stream's keys and values take."""

    minutes: float
    frames: int
    everything_bytes: int
    contender: Contender
    sittings: Sequence[Sitting]

    @property
    def marks(self) -> list[Mark]:
        """Of all streams."""
        return [mark for sitting in self.sittings for mark in sitting.marks]

    @property
    def ttft_ms(self) -> float:
        """The median over all questions of the milliseconds to the first token."""
        return 1000 * median(mark.ttft_s for mark in self.marks)

    def most(self, count: Callable[[Sitting], int]) -> int:
        """The most of something that any stream took."""
        return max(count(sitting) for sitting in self.sittings)

    @property
    def device_bytes(self) -> int:
        """Allocated at the end of a stream."""
        return self.most(lambda one: one.stats.device_bytes)

    @property
    def host_bytes(self) -> int:
        """Allocated at the end of a stream off the device, even where the device is the host."""
        return self.most(lambda one: one.stats.host_bytes)

    @property
    def archive_bytes(self) -> int:
        """What an archive takes at the end of a stream, on the host, where `host_bytes` counts it too, and on disk."""
        return self.most(
            lambda one: one.stats.tokens.archive and one.stats.host_bytes + one.stats.disk_bytes
        )

    @property
    def tokens(self) -> int:
        """Held on the device, or on the host in its place, at the end of a stream; the prompt's not counted."""
        return self.most(lambda one: one.stats.tokens.long + one.stats.tokens.short)

    def score(self, without: Iterable[str] = (), *, past: bool = False) -> Score:
        """Of all questions but those of some types; past: of those about needles alone."""
        return score(
            mark
            for mark in self.marks
            if mark.asked.exchange.type not in without and not (past and mark.asked.minutes is None)
        )


def score(marks: Iterable[Mark]) -> Score:
    """How many are right."""
    return sum((Score(int(mark.right), 1) for mark in marks), Score())


def grouped(
    marks: Iterable[Mark], key: Callable[[Mark], tuple[Any, ...]]
) -> dict[tuple[Any, ...], Score]:
    """The scores of the groups that a key makes."""
    found: dict[tuple[Any, ...], Score] = {}
    for mark in marks:
        found[key(mark)] = found.get(key(mark), Score()) + score([mark])
    return found


def cell(mark: Mark) -> tuple[str, float | None]:
    """The type of question, and the distance."""
    return mark.asked.exchange.type, mark.asked.minutes


def reference(
    results: Sequence[Result], minutes: float, without: Iterable[str] = ()
) -> Result | None:
    """What keeps everything of streams of a length: full+full where the model can read so much, else the better of those
    that read a part of it, by all types but some.
    """
    there = {one.contender.name: one for one in results if one.minutes == minutes}
    if "full+full" in there:
        return there["full+full"]
    rest = [there[name] for name in EVERYTHING if name in there]
    rest = [one for one in rest if one.score(without).asked]
    return max(rest, key=lambda one: one.score(without).share, default=None)


def weak_types(results: Sequence[Result], floor: float) -> dict[str, Score]:
    """The types of which everything kept answers less than the floor, with what it answers."""
    whole = [one for one in results if one.contender.name == "full+full"]
    found = [reference(results, minutes) for minutes in {one.minutes for one in results}]
    judges = whole or [one for one in found if one is not None]
    by_type = grouped((mark for one in judges for mark in one.marks), lambda mark: cell(mark)[:1])
    return {name: all_ for (name,), all_ in sorted(by_type.items()) if all_.share < floor}


def conclusions(results: Sequence[Result], weak: Weak, ours: str) -> list[dict[str, Any]]:
    """For every length and share: ours, everything kept, and the best that retains by another method at that share."""
    found = []
    for minutes, share in dict.fromkeys(
        (one.minutes, one.contender.share) for one in results if one.contender.share is not None
    ):
        field = [one for one in results if (one.minutes, one.contender.share) == (minutes, share)]
        by_name = {one.contender.name: one for one in field if one.score(weak).asked}
        whole, mine = reference(results, minutes, weak), by_name.pop(ours, None)
        peers = [one for name, one in by_name.items() if name.split("+")[0] != ours.split("+")[0]]
        best = max(peers, key=lambda one: one.score(weak).share, default=None)
        entry: dict[str, Any] = {"minutes": minutes, "of_everything": str(share)}
        for role, one in (("ours", mine), ("best_other", best), ("everything", whole)):
            entry[role] = one and {
                "memory": one.contender.name,
                **shares(one.score(weak)),
                "past": shares(one.score(weak, past=True)),
            }
        if mine and whole and whole.score(weak).right:
            entry["of_everythings_accuracy"] = round(
                mine.score(weak).share / whole.score(weak).share, 4
            )
        found.append(entry)
    return found


def shares(one: Score) -> dict[str, Any]:
    """Right, asked, and Wilson's 95 % interval of the share."""
    if not one.asked:
        return {"right": 0, "asked": 0, "share": None, "low": None, "high": None}
    low, high = (round(edge, 4) for edge in one.interval)
    share = round(one.share, 4)
    return {"right": one.right, "asked": one.asked, "share": share, "low": low, "high": high}


def said(conclusion: Mapping[str, Any]) -> str:
    """A conclusion as a line."""
    parts = [
        f"{label} {one['memory']} {one['share']:.1%} ({one['low']:.1%} to {one['high']:.1%})"
        f"{_of_past(one['past'])}"
        for role, label in (
            ("ours", ""),
            ("everything", "everything kept:"),
            ("best_other", "best other:"),
        )
        if (one := conclusion[role]) and one["asked"]
    ]
    if "of_everythings_accuracy" in conclusion:
        parts.append(f"{conclusion['of_everythings_accuracy']:.1%} of everything kept's accuracy")
    head = f"{conclusion['minutes']:g} min, {conclusion['of_everything']} of everything:"
    return (
        f"{head} {'; '.join(part.strip() for part in parts) or 'no type is left to conclude from'}"
    )


def _of_past(past: Mapping[str, Any]) -> str:
    return f", of the past {past['share']:.1%}" if past["asked"] else ""


def row(one: Result, weak: Weak) -> dict[str, Any]:
    """All of a result, for the JSON line."""
    return {
        "minutes": one.minutes, "frames": one.frames, "streams": len(one.sittings),
        "memory": one.contender.name, "of_everything": one.contender.of_everything,
        "budget_tokens": one.contender.config.memory.budget_tokens, "tokens": one.tokens,
        "device_bytes": one.device_bytes, "host_bytes": one.host_bytes, "archive_bytes": one.archive_bytes,
        "device_of_everything": round(one.device_bytes / one.everything_bytes, 5),
        "ttft_ms": round(one.ttft_ms, 2), **shares(one.score(weak)),
        "cells": [
            {"type": type_, "minutes": minutes} | shares(part)
            for (type_, minutes), part in grouped(one.marks, cell).items()
        ],
    }  # fmt: skip


def summary_table(
    results: Sequence[Result], weak: Weak, distances: Sequence[float | None]
) -> tuple[list[str], list[list[str]]]:
    """A row a contender: what it costs, and its shares by distance without the weak types."""
    head = ["memory", "of all", "tokens", "device", "host", "archive", "first token", "right"]
    rows = []
    for one in results:
        strong = [mark for mark in one.marks if mark.asked.exchange.type not in weak]
        by_distance = grouped(strong, lambda mark: (mark.asked.minutes,))
        rows.append([
            one.contender.name, one.contender.of_everything, f"{one.tokens:,}",
            *(size(count) for count in (one.device_bytes, one.host_bytes, one.archive_bytes)),
            f"{one.ttft_ms:.1f} ms", shown(score(strong)),
            *(shown(by_distance.get((distance,), Score())) for distance in distances),
        ])  # fmt: skip
    return head + [named(distance) for distance in distances], rows


def detail_table(
    results: Sequence[Result], weak: Weak, distances: Sequence[float | None]
) -> tuple[list[str], list[list[str]]]:
    """A row a contender and a type of question."""
    rows = []
    for one in results:
        cells, types = grouped(one.marks, cell), grouped(one.marks, lambda mark: cell(mark)[:1])
        for (type_,), all_ in sorted(types.items()):
            rows.append([
                one.contender.name, one.contender.of_everything, f"{type_} (weak)" if type_ in weak else type_,
                shown(all_), *(shown(cells.get((type_, distance), Score())) for distance in distances),
            ])  # fmt: skip
    return ["memory", "of all", "question", "right", *map(named, distances)], rows


def named(distance: float | None) -> str:
    """ "5 min", "now"."""
    return "now" if distance is None else f"{distance:g} min"


def shown(one: Score) -> str:
    """ "80 % (61-91)", or nothing."""
    if not one.asked:
        return ""
    low, high = one.interval
    return f"{100 * one.share:.0f} % ({100 * low:.0f}-{100 * high:.0f})"
