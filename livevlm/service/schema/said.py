"""What the server sends, as JSON Schema. All fields that are named are always there; later versions may add others."""

from __future__ import annotations

from typing import get_args

from livevlm.messages import TIER_NAMES, Status
from livevlm.service.items import ROLES
from livevlm.service.resumption import LAST_SEQ
from livevlm.service.schema.kinds import (
    COUNT,
    FLAG,
    NULL,
    NUMBER,
    TEXT,
    array,
    const,
    integer,
    mapping,
    maybe,
    one_of,
    record,
    ref,
)
from livevlm.service.watches import TOLD
from livevlm.service.wire import PROTOCOL, TIMINGS, JsonObject
from livevlm.watching.watch import MODES

UTC, AS_OF, SPAN, STREAM, ITEM = map(ref, ("utc", "as_of", "span", "stream", "item"))
WATCH, WATCH_STATUS = ref("watch"), ref("watch_status")
RESUME = record({"token": TEXT, "for_s": NUMBER})
FAILURE = record({"type": TEXT, "code": TEXT, "message": TEXT})


def said_shapes() -> dict[str, JsonObject]:
    """What several of these events hold."""
    moment = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
    ends = {"from_s": maybe(NUMBER), "to_s": maybe(NUMBER)}
    span = {
        "stream": TEXT,
        **ends,
        "from_utc": maybe(UTC),
        "to_utc": maybe(UTC),
        "score": maybe(NUMBER),
        "tier": one_of(*TIER_NAMES),
        "thumbnail": maybe(TEXT),
    }
    return {
        "utc": {"type": "string", "format": "date-time", "pattern": moment},
        "as_of": record({"stream_s": maybe(NUMBER), "utc": maybe(UTC)}),
        "span": record(span),
        "stream": stream_status(),
        "item": item(),
        "watch": record(watch()),
        "watch_status": record({**watch(), **watch_state()}),
    }


def said() -> dict[str, JsonObject]:
    """The schema of every event that the server sends, by its type."""
    replies = {**_sessions(), **_conversation(), **_memory(), **_watches()}
    replies["stream.listed"] = reply("stream.listed", {"ready": FLAG, "streams": array(STREAM)})
    replies["subscribed"] = reply("subscribed", {"topics": array(TEXT)})
    replies["pong"] = reply("pong", {})
    return {**replies, **_answers(), **_streams(), "error": _error()}


def event(
    kind: str, fields: dict[str, JsonObject], *, optional: tuple[str, ...] = ()
) -> JsonObject:
    """An event of the server."""
    envelope = {
        "type": const(kind),
        "event_id": TEXT,
        "seq": integer(0, LAST_SEQ),
        "ts": UTC,
    }
    return record({**envelope, **fields}, optional=optional)


def reply(kind: str, fields: dict[str, JsonObject]) -> JsonObject:
    """An event that answers one of the client's."""
    return event(kind, {"client_event_id": maybe(TEXT), **fields})


def session(*, optional: tuple[str, ...] = ()) -> JsonObject:
    """A session, with what it can be resumed with where that is told."""
    extras = record(
        {
            "protocol": const(PROTOCOL),
            "version": maybe(TEXT),
            "streams": array(TEXT),
            "stream": maybe(TEXT),
            "temperature": maybe(NUMBER),
            "top_p": maybe(NUMBER),
            "max_evidence": maybe(COUNT),
            "history_turns": maybe(COUNT),
            "model": maybe(TEXT),
            "resume": RESUME,
        },
        optional=optional,
    )
    return record(
        {
            "type": const("realtime"),
            "object": const("realtime.session"),
            "id": TEXT,
            "model": maybe(TEXT),
            "output_modalities": const(["text"]),
            "instructions": maybe(TEXT),
            "max_output_tokens": maybe(COUNT),
            "livevlm": extras,
        }
    )


def item() -> JsonObject:
    """A message of a conversation, or of an answer."""
    part = record({"type": one_of("output_text", "input_text"), "text": TEXT})
    return record(
        {
            "id": TEXT,
            "object": const("realtime.item"),
            "type": const("message"),
            "role": one_of(*ROLES),
            "status": one_of("in_progress", "completed", "incomplete"),
            "content": array(part),
        }
    )


def watch() -> dict[str, JsonObject]:
    """A watch as it was made."""
    return {
        "id": TEXT,
        "name": maybe(TEXT),
        "condition": TEXT,
        "question": TEXT,
        "stream": TEXT,
        "mode": one_of(*MODES),
        "cooldown_s": NUMBER,
        "confirm_n": COUNT,
        "threshold": NUMBER,
        "created_utc": UTC,
        "expires_utc": maybe(UTC),
    }


def watch_state() -> dict[str, JsonObject]:
    """How a watch is."""
    return {
        "webhook": maybe(TEXT),
        "state": TEXT,
        "probability": maybe(NUMBER),
        "evaluations": COUNT,
        "skipped": COUNT,
        "triggers": COUNT,
        "triggered_utc": maybe(UTC),
    }


def stream_status() -> JsonObject:
    """What is known of a stream."""
    counts = mapping(COUNT)
    names = ("frames_received", "frames_unsampled", "frames_encoded", "frames_waiting")
    more = ("reconnects", "queue_frames", "memory_bytes")
    return record(
        {
            "name": TEXT,
            "source": TEXT,
            "live": FLAG,
            "state": TEXT,
            "since_utc": maybe(UTC),
            "error_code": maybe(TEXT),
            "error": maybe(TEXT),
            "next_try_s": maybe(NUMBER),
            **{name: COUNT for name in (*names, *more)},
            "frames_dropped": counts,
            "last_frame_utc": maybe(UTC),
            "drift_s": maybe(NUMBER),
            "drift_s_per_hour": maybe(NUMBER),
            "as_of": maybe(AS_OF),
            "memory_tokens": counts,
            "memory_from_s": maybe(NUMBER),
        }
    )


def _sessions() -> dict[str, JsonObject]:
    resumed = {
        "client_event_id": maybe(TEXT),
        "session": session(),
        "last_seq": COUNT,
        "received": COUNT,
        "replayed": COUNT,
    }
    leaving = {"time_left_s": NUMBER, "reason": TEXT}
    told = {"session": session(optional=("resume",))}
    return {
        "session.created": event("session.created", told),
        "session.updated": event("session.updated", told),
        "session.resumed": event("session.resumed", resumed),
        "session.going_away": event("session.going_away", leaving),
    }


def _answers() -> dict[str, JsonObject]:
    ids = {"response_id": TEXT, "output_index": COUNT}
    part = {**ids, "item_id": TEXT, "content_index": COUNT}
    text = record({"type": const("text"), "text": TEXT})
    evidence = {"stream": TEXT, "as_of": maybe(AS_OF), "evidence": array(SPAN)}
    fields: dict[str, dict[str, JsonObject]] = {
        "created": {"response": _response(done=False)},
        "queued": {"response_id": TEXT, "position": COUNT},
        "evidence": {"response_id": TEXT, **evidence},
        "output_item.added": {**ids, "item": ITEM},
        "content_part.added": {**part, "part": text},
        "output_text.delta": {**part, "delta": TEXT},
        "output_text.done": {**part, "text": TEXT},
        "content_part.done": {**part, "part": text},
        "output_item.done": {**ids, "item": ITEM},
        "done": {"response": _response(done=True)},
    }
    return {f"response.{kind}": event(f"response.{kind}", own) for kind, own in fields.items()}


def _response(*, done: bool) -> JsonObject:
    extras = {"stream": TEXT, "client_event_id": maybe(TEXT)}
    times = record({f"{name}_ms": maybe(NUMBER) for name in TIMINGS})
    told = {
        "as_of": maybe(AS_OF),
        "evidence": array(SPAN),
        "timings": times,
        "frames_behind": maybe(COUNT),
    }
    details = record({"type": TEXT, "error": maybe(FAILURE), "reason": TEXT}, optional=("reason",))
    return record(
        {
            "object": const("realtime.response"),
            "id": TEXT,
            "status": one_of(*get_args(Status)) if done else const("in_progress"),
            "conversation_id": maybe(TEXT),
            "output_modalities": const(["text"]),
            "max_output_tokens": COUNT,
            "metadata": maybe(mapping(TEXT)),
            "status_details": details if done else NULL,
            "output": array(ITEM),
            "usage": _usage() if done else NULL,
            "livevlm": record({**extras, **told} if done else extras),
        }
    )


def _usage() -> JsonObject:
    read = ("text_tokens", "image_tokens", "cached_tokens", "audio_tokens")
    return record(
        {
            **{name: COUNT for name in ("total_tokens", "input_tokens", "output_tokens")},
            "input_token_details": record({name: COUNT for name in read}),
            "output_token_details": record({"text_tokens": COUNT, "audio_tokens": COUNT}),
        }
    )


def _conversation() -> dict[str, JsonObject]:
    placed = {"previous_item_id": maybe(TEXT), "item": ITEM}
    fields: dict[str, dict[str, JsonObject]] = {
        "added": placed,
        "done": placed,
        "retrieved": {"item": ITEM},
        "deleted": {"item_id": TEXT},
    }
    return {
        f"conversation.item.{kind}": event(f"conversation.item.{kind}", own)
        for kind, own in fields.items()
    }


def _streams() -> dict[str, JsonObject]:
    told = {"client_event_id": maybe(TEXT), "name": TEXT, "stream": STREAM}
    gone = {"client_event_id": maybe(TEXT), "name": TEXT}
    unasked = ("client_event_id",)
    return {
        "stream.added": event("stream.added", told, optional=unasked),
        "stream.updated": event("stream.updated", told, optional=unasked),
        "stream.removed": event("stream.removed", gone, optional=unasked),
    }


def _memory() -> dict[str, JsonObject]:
    ends = {"from_s": maybe(NUMBER), "to_s": maybe(NUMBER)}
    tier = record({**ends, "tokens": array(COUNT)}, optional=("tokens",))
    sizes = ("device_bytes", "host_bytes", "disk_bytes", "evicted_tokens", "pictures")
    size = record(
        {
            "stream": TEXT,
            "as_of": maybe(AS_OF),
            "tokens": mapping(COUNT),
            **{name: COUNT for name in sizes},
            **ends,
            "spans": mapping(tier),
            "error": maybe(TEXT),
        }
    )
    found = {"stream": TEXT, "as_of": maybe(AS_OF), "evidence": array(SPAN)}
    tokens = record({"device": COUNT, "archive": COUNT})
    cleared = {"stream": TEXT, "tokens": tokens, "frames": COUNT}
    return {
        "memory.stats": reply("memory.stats", {"memories": array(size)}),
        "memory.found": reply("memory.found", found),
        "memory.cleared": reply("memory.cleared", cleared),
    }


def _watches() -> dict[str, JsonObject]:
    told = {
        "watch": WATCH,
        "at": maybe(AS_OF),
        "probability": maybe(NUMBER),
        "evidence": maybe(SPAN),
        "thumbnail": maybe(TEXT),
    }
    return {
        "watch.created": reply("watch.created", {"watch": WATCH_STATUS}),
        "watch.listed": reply("watch.listed", {"watches": array(WATCH_STATUS)}),
        "watch.deleted": reply("watch.deleted", {"watch": WATCH_STATUS}),
        **{kind: event(kind, told) for kind in TOLD.values()},
    }


def _error() -> JsonObject:
    fields: dict[str, JsonObject] = {
        "type": TEXT,
        "code": TEXT,
        "message": TEXT,
        "param": maybe(TEXT),
        "event_id": maybe(TEXT),
        "retry_after_ms": COUNT,
    }
    return event("error", {"error": record(fields, optional=("retry_after_ms",))})
