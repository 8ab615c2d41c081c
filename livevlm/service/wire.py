"""Values as they stand on the wire: times, evidence, timings, stream states; each to JSON and back.

Times are told twice: stream time in seconds (`*_s`) and RFC 3339 UTC with milliseconds (`utc`, `*_utc`). Durations are
milliseconds (`*_ms`), as in the protocol that ours extends. A number that JSON cannot hold (NaN, infinity) becomes null.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote

from livevlm.messages import AsOf, Evidence, Failure, StreamStatus, Tier, TimeRange, Timings

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]

PROTOCOL = "livevlm.v1"
FRAMES = "/v1/frames"
PICTURE = re.compile(rf"{FRAMES}/([^/]+)/(\d{{1,15}})\.jpg")
TIMINGS = ("queue", "flush", "retrieve", "ttft", "decode", "total")


def encode(event: JsonObject) -> str:
    """One event as JSON text in ASCII, so that no text of a model or a client can make it unsendable."""
    return json.dumps(event, separators=(",", ":"))


def finite(number: float | None, digits: int = 6) -> float | None:
    """`number` rounded, or None where JSON has no word for it."""
    return round(number, digits) if number is not None and math.isfinite(number) else None


def utc_text(posix_s: float | None) -> str | None:
    """RFC 3339 in UTC with milliseconds; None for None and for times no calendar holds."""
    if posix_s is None or not math.isfinite(posix_s):
        return None
    try:
        moment = datetime.fromtimestamp(posix_s, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def posix_seconds(text: str) -> float:
    """POSIX seconds of an RFC 3339 time. Raises ValueError when it is none or names no offset from UTC."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError("the time names no zone; end it with Z or +01:00")
    return moment.timestamp()


def as_of_json(as_of: AsOf | None) -> Json:
    """{"stream_s", "utc"}, or null before the first frame."""
    return (
        None if as_of is None else {"stream_s": finite(as_of.stream_s), "utc": utc_text(as_of.utc)}
    )


def read_as_of(value: Json) -> AsOf | None:
    """The reverse of `as_of_json`."""
    if not isinstance(value, dict):
        return None
    return AsOf(stream_s=_number(value.get("stream_s")), utc=_moment(value.get("utc")))


def evidence_json(evidence: Evidence) -> JsonObject:
    """One span in stream seconds and in UTC, with its score, the tier of memory it lay in, and where it can be looked at."""
    return {
        "stream": evidence.stream,
        "from_s": finite(evidence.from_s),
        "to_s": finite(evidence.to_s),
        "from_utc": utc_text(evidence.from_utc),
        "to_utc": utc_text(evidence.to_utc),
        "score": finite(evidence.score),
        "tier": evidence.tier,
        "thumbnail": None
        if evidence.picture is None
        else f"{FRAMES}/{quote(evidence.stream, safe='')}/{evidence.picture}.jpg",
    }


def read_evidence(value: Json) -> tuple[Evidence, ...]:
    """The reverse of a list of `evidence_json`; whatever is not an object is left out."""
    spans = value if isinstance(value, list) else []
    return tuple(_read_span(span) for span in spans if isinstance(span, dict))


def _read_span(span: JsonObject) -> Evidence:
    picture = PICTURE.fullmatch(str(span.get("thumbnail")))
    return Evidence(
        stream=str(span.get("stream", "")),
        from_s=_number(span.get("from_s")),
        to_s=_number(span.get("to_s")),
        from_utc=_moment(span.get("from_utc")),
        to_utc=_moment(span.get("to_utc")),
        score=_number(span.get("score")),
        tier=cast(Tier, span.get("tier")),
        picture=None if picture is None else int(picture[2]),
    )


def timings_json(timings: Timings) -> JsonObject:
    """Milliseconds, to the microsecond."""
    return {f"{name}_ms": finite(1000 * getattr(timings, f"{name}_s"), 3) for name in TIMINGS}


def read_timings(value: Json) -> Timings:
    """The reverse of `timings_json`: seconds again."""
    found = value if isinstance(value, dict) else {}
    return Timings(**{f"{name}_s": _number(found.get(f"{name}_ms")) / 1000 for name in TIMINGS})


def failure_json(failure: Failure | None) -> Json:
    """{"type", "code", "message"}, or null."""
    if failure is None:
        return None
    return {"type": failure.kind, "code": failure.code, "message": failure.message}


def read_failure(value: Json) -> Failure | None:
    """The reverse of `failure_json`."""
    if not isinstance(value, dict):
        return None
    kind = str(value.get("type") or "server_error")
    return Failure(
        code=str(value.get("code") or kind), message=str(value.get("message") or ""), kind=kind
    )


def time_range_json(time: TimeRange) -> JsonObject:
    """The `time` of a question: {"last"} in seconds, or {"from", "to"} in stream seconds or RFC 3339."""
    if time.last_s is not None:
        return {"last": time.last_s}
    ends = {"from": time.from_s, "to": time.to_s}
    return {
        name: utc_text(end) if time.utc else end for name, end in ends.items() if end is not None
    }


def status_json(status: StreamStatus) -> JsonObject:
    """What the daemon knows of a stream; the names are those of `StreamStatus`."""
    return {
        "name": status.name,
        "source": status.source,
        "live": status.live,
        "state": status.state,
        "since_utc": utc_text(status.since_utc),
        "error_code": status.error_code,
        "error": status.error,
        "next_try_s": finite(status.next_try_s, 3),
        "frames_received": status.frames_received,
        "frames_unsampled": status.frames_unsampled,
        "frames_encoded": status.frames_encoded,
        "frames_dropped": dict(status.frames_dropped),
        "frames_waiting": status.frames_waiting,
        "reconnects": status.reconnects,
        "queue_frames": status.queue_frames,
        "last_frame_utc": utc_text(status.last_frame_utc),
        "drift_s": finite(status.drift_s, 3),
        "drift_s_per_hour": finite(status.drift_s_per_hour, 3),
        "as_of": as_of_json(status.as_of),
        "memory_tokens": dict(status.memory_tokens),
        "memory_bytes": status.memory_bytes,
        "memory_from_s": finite(status.memory_from_s),
    }


def read_status(value: JsonObject) -> StreamStatus:
    """The reverse of `status_json`. Fields that a newer daemon adds are ignored, missing ones are empty."""
    return StreamStatus(
        name=str(value.get("name", "")),
        source=str(value.get("source", "")),
        live=bool(value.get("live")),
        state=str(value.get("state", "")),
        error_code=_text(value.get("error_code")),
        error=_text(value.get("error")),
        frames_received=int(_number(value.get("frames_received"))),
        frames_encoded=int(_number(value.get("frames_encoded"))),
        frames_dropped=_counts(value.get("frames_dropped")),
        reconnects=int(_number(value.get("reconnects"))),
        queue_frames=int(_number(value.get("queue_frames"))),
        last_frame_utc=_moment_or_none(value.get("last_frame_utc")),
        as_of=read_as_of(value.get("as_of")),
        memory_tokens=_counts(value.get("memory_tokens")),
        memory_bytes=int(_number(value.get("memory_bytes"))),
        memory_from_s=_number_or_none(value.get("memory_from_s")),
        since_utc=_moment_or_none(value.get("since_utc")),
        next_try_s=_number_or_none(value.get("next_try_s")),
        frames_unsampled=int(_number(value.get("frames_unsampled"))),
        frames_waiting=int(_number(value.get("frames_waiting"))),
        drift_s=_number_or_none(value.get("drift_s")),
        drift_s_per_hour=_number_or_none(value.get("drift_s_per_hour")),
    )


def read_object(text: str | bytes) -> JsonObject:
    """A JSON object, or ValueError."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return cast(JsonObject, value)


def child(value: Mapping[str, Json], *names: str) -> JsonObject:
    """The object at the end of a path of names, empty where there is none."""
    found: Json = dict(value)
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _number(value: Json) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _text(value: Json) -> str | None:
    return None if value is None else str(value)


def _moment(value: Json) -> float:
    return posix_seconds(value) if isinstance(value, str) else 0.0


def _number_or_none(value: Json) -> float | None:
    return None if value is None else _number(value)


def _moment_or_none(value: Json) -> float | None:
    return None if value is None else _moment(value)


def _counts(value: Json) -> dict[str, int]:
    found = value if isinstance(value, dict) else {}
    return {str(name): int(_number(count)) for name, count in found.items()}
