"""Times as a program gives them: numbers, text, `timedelta`, `datetime`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypedDict

from livevlm.messages import TimeRange
from livevlm.service.timespan import duration_s, time_range
from livevlm.service.wire import Json

Duration = float | str | timedelta
Moment = float | str | datetime


class When(TypedDict, total=False):
    """What part of a stream is meant; nothing: all that is remembered.

    last: back from the newest frame; seconds, "90s", "2h" or a timedelta. from_, to, at: seconds of stream time, or a moment of
    arrival, as RFC 3339 text or a datetime that knows its zone; `at` is the 2.5 s before and after. time: a range made before.
    """

    last: Duration | None
    from_: Moment | None
    to: Moment | None
    at: Moment | None
    time: TimeRange | None


def range_from(when: When) -> TimeRange | None:
    """The range meant, None for everything. ValueError where it cannot be read, or several exclude each other."""
    time, last = when.get("time"), when.get("last")
    found = time_range(
        last=None if last is None else seconds_in(last),
        start=_plain(when.get("from_")),
        end=_plain(when.get("to")),
        at=_plain(when.get("at")),
    )
    if time is not None and found is not None:
        raise ValueError("give either `time`, or `last`, `at`, `from_` and `to`")
    return time if found is None else found


def seconds_in(duration: Duration) -> float:
    """Seconds, 0 or more. ValueError where it is no duration."""
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    return 0.0 if duration == 0 else duration_s(duration)


def _plain(moment: Moment | None) -> Json:
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} names no zone; give it one, as with .astimezone()")
    return moment.isoformat()
