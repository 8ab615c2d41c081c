"""What a client may send, as JSON Schema. A field that is null counts as absent."""

from __future__ import annotations

from typing import cast

from livevlm.service.commands import (
    ALL,
    DAY_MS,
    MAX_METADATA,
    MAX_TOKENS,
    MAX_TURNS,
    TIMES,
    TOPICS,
)
from livevlm.service.items import MAX_ID, MAX_TEXT, ROLES
from livevlm.service.resumption import LAST_SEQ
from livevlm.service.schema.kinds import (
    FLAG,
    NULL,
    any_of,
    array,
    const,
    integer,
    mapping,
    number,
    one_of,
    ref,
    text,
    wishes,
)
from livevlm.service.streams import MAX_URL as MAX_STREAM_URL
from livevlm.service.timespan import LONGEST_S as LONGEST_TIME_S
from livevlm.service.wire import Json, JsonObject
from livevlm.watchconfig import PLAIN_NAME, StreamConfig
from livevlm.watching.watch import (
    LONGEST_S,
    MAX_CONDITION,
    MAX_NAME,
    MAX_URL,
    MODES,
    MOST_CONFIRM,
    VARIABLE,
)

ID = text(MAX_ID)
DURATION: JsonObject = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s?)?$",
    "minLength": 1,
}
MOMENT: JsonObject = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$",
}
SECONDS: JsonObject = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_TIME_S}
STREAM_TIME = number(-LONGEST_TIME_S, LONGEST_TIME_S)
NAME: JsonObject = {"type": "string", "pattern": f"^{PLAIN_NAME.pattern}$"}
VARIABLE_NAME: JsonObject = {"type": "string", "pattern": f"^{VARIABLE.pattern}$"}


def heard_shapes() -> dict[str, JsonObject]:
    """What several of these events hold."""
    return {"time": time(), "message": message()}


def heard() -> dict[str, JsonObject]:
    """The schema of every event that a client may send, by its type."""
    return {
        "session.update": event("session.update", {"session": _session()}),
        "session.resume": event(
            "session.resume",
            {"token": text(MAX_ID, 1), "last_seq": integer(0, LAST_SEQ)},
            needed=("token", "last_seq"),
        ),
        **_conversation(),
        "response.create": event("response.create", {"response": _response()}),
        "response.cancel": event("response.cancel", {"response_id": ID}),
        **_streams(),
        "subscribe": event("subscribe", {"topics": array(one_of(*TOPICS))}, needed=("topics",)),
        **_memory(),
        "watch.create": _watch_create(),
        "watch.list": event("watch.list", {}),
        "watch.delete": event("watch.delete", {"watch": text(MAX_ID, 1)}, needed=("watch",)),
        "ping": event("ping", {}),
    }


def event(
    kind: str, fields: dict[str, JsonObject], *, needed: tuple[str, ...] = (), only: bool = False
) -> JsonObject:
    """An event of a client."""
    whole = {"type": const(kind), "event_id": ID, **fields}
    return wishes(whole, needed=("type", *needed), only=only)


def time(*, only: bool = False) -> JsonObject:
    """A part of a stream: the last seconds, around a time, or between two, which are both of the stream or both of arrival."""

    def form(meant: JsonObject, *names: str) -> JsonObject:
        return wishes({name: meant if name in names else NULL for name in TIMES}, only=only)

    return any_of(
        form(any_of(SECONDS, DURATION), "last"),
        form(any_of(STREAM_TIME, MOMENT), "at"),
        form(STREAM_TIME, "from", "to"),
        form(MOMENT, "from", "to"),
    )


def message() -> JsonObject:
    """A message of a conversation."""
    roles = []
    for role in ROLES:
        kinds = ("output_text", "text") if role == "assistant" else ("input_text", "text")
        part = wishes({"type": one_of(*kinds), "text": text(MAX_TEXT)}, needed=("type",))
        fields: dict[str, JsonObject] = {
            "type": const("message"),
            "role": const(role),
            "content": array(part),
            "id": ID,
        }
        roles.append(wishes(fields, needed=("role",)))
    return any_of(*roles)


def _wishes() -> tuple[dict[str, JsonObject], dict[str, JsonObject]]:
    """What may be wished of an answer: in the fields of stock clients, and in our own."""
    fields: dict[str, JsonObject] = {
        "instructions": text(MAX_TEXT),
        "max_output_tokens": any_of(integer(1, MAX_TOKENS), const("inf")),
        "output_modalities": const(["text"]),
        "tools": {"type": "array", "maxItems": 0},
        "metadata": mapping(any_of(ID, NULL), MAX_METADATA),
    }
    top_p: JsonObject = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    extras: dict[str, JsonObject] = {
        "streams": {**array({"type": "string"}), "minItems": 1, "maxItems": 1},
        "max_evidence": integer(0, 1000),
        "history_turns": integer(0, MAX_TURNS),
        "deadline_ms": number(1, DAY_MS),
        "temperature": number(0, 2),
        "top_p": top_p,
        "seed": integer(0, 2**63 - 1),
    }
    return fields, extras


def _session() -> JsonObject:
    fields, extras = _wishes()
    return wishes({"type": const("realtime"), **fields, "livevlm": wishes(extras)})


def _response() -> JsonObject:
    fields, extras = _wishes()
    own: dict[str, JsonObject] = {
        "conversation": one_of("auto", "none"),
        "input": array(ref("message")),
    }
    return wishes({**own, **fields, "livevlm": wishes({**extras, "time": ref("time")})})


def _conversation() -> dict[str, JsonObject]:
    kind = "conversation.item"
    created: dict[str, JsonObject] = {"previous_item_id": ID, "item": ref("message")}
    found: dict[str, JsonObject] = {"item_id": ID}
    return {
        f"{kind}.create": event(f"{kind}.create", created, needed=("item",)),
        f"{kind}.retrieve": event(f"{kind}.retrieve", found, needed=("item_id",)),
        f"{kind}.delete": event(f"{kind}.delete", found, needed=("item_id",)),
    }


def _streams() -> dict[str, JsonObject]:
    named: dict[str, JsonObject] = {"name": NAME}
    settings = cast(dict[str, JsonObject], StreamConfig.model_json_schema()["properties"])
    mine = {name: _plain(schema) for name, schema in settings.items() if name != "url_env"}
    fields = {**named, **mine, "url": text(MAX_STREAM_URL, 1)}
    return {
        "stream.list": event("stream.list", {}),
        "stream.add": event("stream.add", fields, needed=("name", "url"), only=True),
        "stream.remove": event("stream.remove", {**named, "forget": FLAG}, needed=("name",)),
        "stream.pause": event("stream.pause", named, needed=("name",)),
        "stream.resume": event("stream.resume", named, needed=("name",)),
    }


def _plain(schema: JsonObject) -> JsonObject:
    """A setting's schema without its title and its default, which say nothing about what may be sent."""
    return {name: value for name, value in schema.items() if name not in ("title", "default")}


def _memory() -> dict[str, JsonObject]:
    query = {**text(MAX_TEXT), "pattern": r"\S"}
    search: dict[str, JsonObject] = {
        "query": query,
        "k": integer(1, 1000),
        "stream": ID,
        "time": ref("time"),
    }
    forgotten: dict[str, JsonObject] = {
        "stream": ID,
        "time": any_of(const(ALL), *_some_time()),
    }
    return {
        "memory.stats": event("memory.stats", {"stream": ID}),
        "memory.search": event("memory.search", search, needed=("query",)),
        "memory.clear": event("memory.clear", forgotten, needed=("time",)),
    }


def _some_time() -> list[JsonObject]:
    """A time that is said: one whose fields were all left out would be everything."""
    told: list[Json] = [{"required": [name], "properties": {name: {"not": NULL}}} for name in TIMES]
    return [{"allOf": [time(only=True), {"anyOf": told}]}]


def _watch_create() -> JsonObject:
    address: JsonObject = {**text(MAX_URL), "pattern": r"^https?://[^\s/?#@]+([/?#][^\s@]*)?$"}
    either: dict[str, JsonObject] = {"url": address, "url_env": VARIABLE_NAME}
    hooks = [
        wishes({**either, other: NULL, "secret_env": VARIABLE_NAME}, needed=(name,), only=True)
        for name, other in (("url", "url_env"), ("url_env", "url"))
    ]
    between: JsonObject = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    lasting: JsonObject = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_S}
    fields: dict[str, JsonObject] = {
        "condition": {**text(MAX_CONDITION), "pattern": r"\S"},
        "stream": ID,
        "name": {**text(MAX_NAME), "pattern": r"\S"},
        "mode": one_of(*MODES),
        "cooldown_s": number(0, LONGEST_S),
        "confirm_n": integer(1, MOST_CONFIRM),
        "threshold": between,
        "expires_s": lasting,
        "for": any_of(SECONDS, DURATION),
        "webhook": any_of(*hooks),
    }
    return event("watch.create", fields, needed=("condition",), only=True)
