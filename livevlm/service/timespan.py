"""Times and durations as people and clients write them, to seconds and to a `TimeRange`.

A time is a number of seconds of stream time, or a moment of arrival in RFC 3339 ("2026-01-31T10:32:00Z"); a duration is a
number of seconds, or a string such as "90s", "15m", "2h" or "1d12h30m". Whatever cannot be read is a ValueError that shows what
can.
"""

from __future__ import annotations

import re

from livevlm.messages import TimeRange
from livevlm.service.wire import Json, posix_seconds

DURATION = re.compile(r"(?:([\d.]+)d)?(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", re.ASCII)
UNITS_S = (86400.0, 3600.0, 60.0, 1.0)
LONGEST_S = 1e10
AROUND_S = 2.5
A_DURATION = 'must be a number of seconds above 0, or a string like "90s", "15m" or "1h30m"'
A_TIME = 'must be a number of seconds of stream time, or a string like "2026-01-31T10:32:00Z"'


def time_range(
    *, last: Json = None, start: Json = None, end: Json = None, at: Json = None
) -> TimeRange | None:
    """The range meant: the `last` duration, from `start` to `end` (either may be open), or 2.5 s around `at`; None for none.

    Raises ValueError when one cannot be read, when they exclude each other, or when the range ends before it begins.
    """
    if sum((last is not None, at is not None, start is not None or end is not None)) > 1:
        raise ValueError("a time range is one of `last`, `at`, and `from` with `to`")
    if last is not None:
        return TimeRange(last_s=duration_s(last))
    if at is not None:
        middle, utc = moment_s("at", at)
        return TimeRange(from_s=middle - AROUND_S, to_s=middle + AROUND_S, utc=utc)
    return _between(start, end)


def _between(start: Json, end: Json) -> TimeRange | None:
    ends = [(name, value) for name, value in (("from", start), ("to", end)) if value is not None]
    if not ends:
        return None
    found = {name: moment_s(name, value) for name, value in ends}
    if len({utc for _, utc in found.values()}) > 1:
        raise ValueError(
            "`from` and `to` must both be seconds of stream time, or both be moments in UTC"
        )
    begin, finish = found.get("from"), found.get("to")
    return TimeRange(
        from_s=begin and begin[0],
        to_s=finish and finish[0],
        utc=any(utc for _, utc in found.values()),
    )


def duration_s(value: Json) -> float:
    """Seconds, above 0."""
    seconds = _seconds(value)
    if seconds is None and isinstance(value, str):
        found = DURATION.fullmatch(value.strip())
        parts = zip(UNITS_S, found.groups(), strict=True) if found else ()
        amounts = [(unit, _seconds(part)) for unit, part in parts if part]
        if amounts and all(amount is not None for _, amount in amounts):
            seconds = sum(unit * (amount or 0.0) for unit, amount in amounts)
    if seconds is None or not 0 < seconds <= LONGEST_S:
        raise ValueError(f"`last` {A_DURATION}")
    return seconds


def moment_s(name: str, value: Json) -> tuple[float, bool]:
    """Seconds, and whether they are POSIX seconds (else they are stream time)."""
    seconds = _seconds(value)
    if seconds is not None:
        return seconds, False
    try:
        return posix_seconds(value if isinstance(value, str) else ""), True
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`{name}` {A_TIME}") from error


def _seconds(value: Json) -> float | None:
    """A plain number, or a string that holds one; None for anything else and for what no stream lasts."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if abs(seconds) <= LONGEST_S else None
