"""Chronicle: which changes of a stream's state are worth a line in the log, and what it says.

A line a change, and one for each new reason why a lost source does not come back. While it stays away this is told again after
one minute, two, four, and so on: a day is eleven lines. A stream that comes and goes all the time has twenty lines, and after
that ten an hour, which say how many were left out. What somebody asked for, and the end, is always told.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from streams.errors import StreamError
from streams.life import State

REMIND_S = 60.0
LINES = 20
LINE_EVERY_S = 360.0
ALWAYS: frozenset[State] = frozenset({"paused", "ended", "failed"})


@dataclass(frozen=True, slots=True)
class Line:
    """What to log, at which level of `logging`."""

    level: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to a stream: the state before and after it, which may be the same, why, and when it is tried again."""

    before: State
    after: State
    error: StreamError | None = None
    next_try_s: float | None = None


class Chronicle:
    """Makes the lines of one stream. `source`: its address without credentials."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source
        self._lines = float(LINES)
        self._counted_s: float | None = None
        self._left_out = 0
        self._codes: set[str] = set()
        self._tries = 0
        self._away_s = 0.0
        self._remind_s = REMIND_S

    def tell(self, change: Change, now_s: float) -> Line | None:
        """The line for a change at this moment of a monotonic clock (seconds), None where it is not worth one."""
        self._refill(now_s)
        if change.error is not None:
            line = self._lost(change, change.error, now_s)
        elif change.before != change.after:
            line = self._changed(change, now_s)
        else:
            line = None
        if line is None or ALWAYS & {change.before, change.after}:
            return line
        if self._lines < 1:
            self._left_out += 1
            return None
        return self._counted(line)

    def _refill(self, now_s: float) -> None:
        if self._counted_s is not None:
            self._lines = min(LINES, self._lines + (now_s - self._counted_s) / LINE_EVERY_S)
        self._counted_s = now_s

    def _lost(self, change: Change, error: StreamError, now_s: float) -> Line | None:
        """A line where this is news: a source lost just now, another reason, or a time away after which it is told again."""
        if change.after == "failed":
            return Line(logging.ERROR, f"stream {self._name}: {error.message}")
        if change.before != change.after or not self._tries:
            self._codes, self._tries, self._away_s, self._remind_s = set(), 0, now_s, REMIND_S
        self._tries += 1
        text = error.message
        if change.next_try_s is not None:
            text += f"; opened again in {change.next_try_s:.1f} s"
        away_s = now_s - self._away_s
        if error.code not in self._codes:
            self._codes.add(error.code)
        elif away_s >= self._remind_s:
            text = f"away for {_length(away_s)}, {self._tries} tries: {text}"
        else:
            return None
        while away_s >= self._remind_s:
            self._remind_s *= 2
        return Line(logging.WARNING, f"stream {self._name}: {text}")

    def _changed(self, change: Change, now_s: float) -> Line:
        text: str = change.after
        level = logging.INFO
        match change.before, change.after:
            case "stalled", "live":
                text = "pictures come again"
            case _, "live":
                late = f" after {_length(now_s - self._away_s)}" if self._tries else ""
                text = f"live{late} from {self._source}"
            case _, "stalled":
                text, level = f"no picture comes from {self._source}", logging.WARNING
            case "paused", "connecting":
                text = f"resumed, opening {self._source}"
        self._tries = 0
        return Line(level, f"stream {self._name}: {text}")

    def _counted(self, line: Line) -> Line:
        """The line, with what there is to say of those that were left out before it, or will be."""
        text, self._left_out = line.text + _left_out(self._left_out), 0
        self._lines -= 1
        if self._lines < 1:
            text += "; it changes so often that not every change is logged"
        return Line(line.level, text)


def _left_out(count: int) -> str:
    return f" ({count} changes before this one were not logged)" if count else ""


def _length(seconds: float) -> str:
    for unit, length_s in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
