"""Errands on the wire: the commands of `memory.*` to errands, their results to events, and events to results again."""

from __future__ import annotations

from collections.abc import Sequence

from livevlm.messages import (
    TIER_NAMES,
    Errand,
    Forget,
    Forgotten,
    Found,
    Measure,
    Measured,
    MemorySize,
    Result,
    Search,
    Tier,
    TierSpan,
)
from livevlm.service.commands import MemoryClear, MemoryCommand, MemorySearch, MemoryStats
from livevlm.service.naming import choose_stream, known_stream
from livevlm.service.wire import (
    Json,
    JsonObject,
    as_of_json,
    child,
    evidence_json,
    finite,
    read_as_of,
    read_evidence,
)

COUNTS = ("device_bytes", "host_bytes", "disk_bytes", "evicted_tokens", "pictures")
PARAM = "stream"


def errand_from(command: MemoryCommand, names: Sequence[str], *, default: str | None) -> Errand:
    """The errand that is meant, about one of the streams `names`. Raises InvalidRequest where it is not clear about which."""
    if isinstance(command, MemoryStats):
        name = command.stream
        return Measure(stream=None if name is None else known_stream(name, names, param=PARAM))
    asked = default if command.stream is None else command.stream
    stream = choose_stream(asked, names, param=PARAM)
    match command:
        case MemorySearch():
            return Search(stream=stream, text=command.query, time=command.time, limit=command.limit)
        case MemoryClear():
            return Forget(stream=stream, time=command.time)


def result_json(result: Result) -> tuple[str, JsonObject]:
    """The event that tells a result, by its type and its fields."""
    match result:
        case Measured():
            return "memory.stats", {"memories": [size_json(size) for size in result.memories]}
        case Found():
            return "memory.found", {
                "stream": result.stream,
                "as_of": as_of_json(result.as_of),
                "evidence": [evidence_json(span) for span in result.spans],
            }
        case Forgotten():
            return "memory.cleared", {
                "stream": result.stream,
                "tokens": {"device": result.device_tokens, "archive": result.archive_tokens},
                "frames": result.frames,
            }
    raise AssertionError("pictures are no events")


def size_json(size: MemorySize) -> JsonObject:
    """The sizes of a memory; the names are those of `MemorySize`."""
    counts: JsonObject = {name: getattr(size, name) for name in COUNTS}
    return {
        "stream": size.stream,
        "as_of": as_of_json(size.as_of),
        "tokens": dict(size.tokens),
        **counts,
        "from_s": finite(size.from_s),
        "to_s": finite(size.to_s),
        "spans": {tier: _span_json(span) for tier, span in size.spans.items()},
        "error": size.error,
    }


def _span_json(span: TierSpan) -> JsonObject:
    counted: JsonObject = {"tokens": list(span.tokens)} if span.tokens else {}
    return {"from_s": finite(span.from_s), "to_s": finite(span.to_s), **counted}


def _read_spans(value: JsonObject) -> dict[Tier, TierSpan]:
    found: dict[Tier, TierSpan] = {}
    for tier in TIER_NAMES:
        span = child(value, tier)
        start, end, tokens = (
            _seconds(span.get("from_s")),
            _seconds(span.get("to_s")),
            span.get("tokens"),
        )
        counts = tuple(map(_count, tokens)) if isinstance(tokens, list) else ()
        if start is not None and end is not None:
            found[tier] = TierSpan(from_s=start, to_s=end, tokens=counts)
    return found


def read_sizes(event: JsonObject) -> tuple[MemorySize, ...]:
    """The memories of a `memory.stats`. Fields that a newer daemon adds are ignored, missing ones are empty."""
    found = event.get("memories")
    return tuple(
        _read_size(one)
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, dict)
    )


def _read_size(value: JsonObject) -> MemorySize:
    error = value.get("error")
    return MemorySize(
        stream=str(value.get("stream", "")),
        as_of=read_as_of(value.get("as_of")),
        tokens={tier: _count(count) for tier, count in child(value, "tokens").items()},
        from_s=_seconds(value.get("from_s")),
        to_s=_seconds(value.get("to_s")),
        spans=_read_spans(child(value, "spans")),
        error=None if error is None else str(error),
        **{name: _count(value.get(name)) for name in COUNTS},
    )


def read_found(event: JsonObject) -> Found:
    """The reverse of a `memory.found`. Raises ValueError where it is none."""
    as_of = read_as_of(event.get("as_of"))
    if as_of is None:
        raise ValueError("memory.found without as_of")
    return Found(
        stream=str(event.get("stream", "")), as_of=as_of, spans=read_evidence(event.get("evidence"))
    )


def read_forgotten(event: JsonObject) -> Forgotten:
    """The reverse of a `memory.cleared`."""
    tokens = child(event, "tokens")
    return Forgotten(
        stream=str(event.get("stream", "")),
        device_tokens=_count(tokens.get("device")),
        archive_tokens=_count(tokens.get("archive")),
        frames=_count(event.get("frames")),
    )


def _count(value: Json) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def _seconds(value: Json) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
