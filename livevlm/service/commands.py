"""What a client may say: JSON text to commands.

Whatever is wrong is an `InvalidRequest` that names the field and the way out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from livevlm.changes import Change
from livevlm.layers import nearest
from livevlm.messages import TimeRange
from livevlm.service.fields import Fields, InvalidRequest, shown
from livevlm.service.items import (
    MAX_ID,
    MAX_TEXT,
    ItemCommand,
    Message,
    read_item,
    read_item_create,
    read_item_delete,
    read_item_retrieve,
)
from livevlm.service.options import AskOptions
from livevlm.service.resumption import Resume, read_session_resume
from livevlm.service.streams import read_add, read_pause, read_remove, read_resume
from livevlm.service.timespan import time_range
from livevlm.service.watches import WatchCommand, WatchList, read_create, read_delete
from livevlm.service.wire import Json, JsonObject

MAX_TOKENS = 4096
MAX_TURNS = 100
MAX_METADATA = 16
SEARCHED = 8
ALL = "all"
TIMES = ("last", "from", "to", "at")
TOPICS = ("stream", "watch")
HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
DAY_MS = 86_400_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUpdate:
    """New defaults for the session's questions."""

    options: AskOptions
    stream: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCreate:
    """A question. Without `messages` it is the newest of the conversation; `in_conversation` adds the answer to it."""

    messages: tuple[Message, ...] | None
    in_conversation: bool
    options: AskOptions
    stream: str | None
    time: TimeRange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCancel:
    """Stop an answer; without an id, the newest one that is not done."""

    response_id: str | None


@dataclass(frozen=True, slots=True)
class StreamList:
    """Tell the streams' states."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Say that the session is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStats:
    """Tell the sizes of a stream's memory; of all without a stream."""

    stream: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySearch:
    """Tell where in a stream something was seen."""

    query: str
    limit: int
    stream: str | None
    time: TimeRange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryClear:
    """Forget what a stream showed in a time; `time` None is all of it."""

    stream: str | None
    time: TimeRange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Tell of what happens under these topics from now on, and of no others."""

    topics: tuple[str, ...]


MemoryCommand = MemoryStats | MemorySearch | MemoryClear
Command = (
    SessionUpdate
    | ItemCommand
    | ResponseCreate
    | ResponseCancel
    | StreamList
    | Change
    | Subscribe
    | Ping
    | Resume
    | MemoryCommand
    | WatchCommand
)


def read_message(message: str | bytes) -> JsonObject:
    """The JSON object in a websocket message. Raises InvalidRequest (`invalid_json`)."""
    if not isinstance(message, str):
        raise InvalidRequest(
            "binary messages are not understood; send a text message that holds one JSON object",
            code="invalid_json",
        )
    try:
        value = json.loads(message, parse_constant=_no_constant)
    except RecursionError as error:
        raise InvalidRequest("the JSON is nested too deeply", code="invalid_json") from error
    except ValueError as error:
        raise InvalidRequest(
            f"this is not JSON: {str(error)[:200]}", code="invalid_json"
        ) from error
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"an event must be a JSON object, not {shown(value)}", code="invalid_json"
        )
    if HALF_A_PAIR.search(message):
        _refuse_half_characters(value)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _refuse_half_characters(value: JsonObject) -> None:
    """Half of a surrogate pair is no text: neither tokenizers nor UTF-8 can take it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise InvalidRequest(
            "a string holds half of a surrogate pair, which is no character", code="invalid_json"
        ) from error


def event_id_of(value: JsonObject) -> str | None:
    """The client's own id of its event, where it gave a usable one, to be repeated in errors."""
    event_id = value.get("event_id")
    return event_id if isinstance(event_id, str) and len(event_id) <= MAX_ID else None


def read_command(value: JsonObject) -> Command:
    """The command that an event holds. Raises InvalidRequest."""
    event = Fields(value)
    kind = event.text("type")
    if kind is None:
        raise InvalidRequest(f"an event needs a `type`, one of {', '.join(READERS)}", param="type")
    if kind not in READERS:
        near = difflib.get_close_matches(kind[:100], READERS, n=1, cutoff=0.5)
        known = f"did you mean {near[0]}?" if near else f"known are {', '.join(READERS)}"
        raise InvalidRequest(
            f"there is no event {shown(kind)}; {known}", param="type", code="unknown_event"
        )
    event.text("event_id", limit=MAX_ID)
    return READERS[kind](event)


def _session_update(event: Fields) -> Command:
    session = event.child("session")
    if session.text("type") not in (None, "realtime"):
        raise session.invalid("type", '"realtime"')
    _only_text(session)
    extras = session.child("livevlm")
    return SessionUpdate(options=_options(session, extras), stream=_stream(extras))


def _response_create(event: Fields) -> Command:
    response = event.child("response")
    conversation = response.text("conversation")
    if conversation not in (None, "auto", "none"):
        raise response.invalid("conversation", '"auto" or "none"')
    _only_text(response)
    extras = response.child("livevlm")
    has_input = "input" in response
    return ResponseCreate(
        messages=tuple(map(read_item, response.children("input"))) if has_input else None,
        in_conversation=conversation != "none",
        options=_options(response, extras),
        stream=_stream(extras),
        time=_time(extras),
    )


def _response_cancel(event: Fields) -> Command:
    return ResponseCancel(response_id=event.text("response_id", limit=MAX_ID))


def _memory_stats(event: Fields) -> Command:
    return MemoryStats(stream=event.text("stream", limit=MAX_ID))


def _memory_search(event: Fields) -> Command:
    query = event.text("query", limit=MAX_TEXT)
    if query is None or not query.strip():
        raise event.invalid("query", "what is searched for, in words")
    found = event.integer("k", 1, 1000)
    return MemorySearch(
        query=query,
        limit=SEARCHED if found is None else found,
        stream=event.text("stream", limit=MAX_ID),
        time=_time(event),
    )


def _memory_clear(event: Fields) -> Command:
    wanted = event.raw("time")
    # A misspelt end would be an open one, and more would be forgotten than is meant.
    for name in wanted if isinstance(wanted, dict) else ():
        if name not in TIMES:
            raise InvalidRequest(
                f"time.{name[:100]} is not known; there are {', '.join(TIMES)}",
                param=f"time.{name[:100]}",
            )
    everything = event.raw("time") == ALL
    time = None if everything else _time(event)
    if time is None and not everything:
        raise InvalidRequest(
            f'say in `time` what is to be forgotten; "{ALL}" is everything', param="time"
        )
    return MemoryClear(stream=event.text("stream", limit=MAX_ID), time=time)


def _subscribe(event: Fields) -> Command:
    topics = event.texts("topics")
    if topics is None:
        raise event.invalid("topics", f"a list; there are {', '.join(TOPICS)}")
    for topic in topics:
        if topic not in TOPICS:
            raise InvalidRequest(
                f"topics: there is no topic {shown(topic)}{nearest(topic[:MAX_ID], TOPICS)}",
                param="topics",
            )
    return Subscribe(topics=tuple(dict.fromkeys(topics)))


READERS: dict[str, Callable[[Fields], Command]] = {
    "session.update": _session_update,
    "session.resume": read_session_resume,
    "conversation.item.create": read_item_create,
    "conversation.item.retrieve": read_item_retrieve,
    "conversation.item.delete": read_item_delete,
    "response.create": _response_create,
    "response.cancel": _response_cancel,
    "stream.list": lambda _: StreamList(),
    "stream.add": read_add,
    "stream.remove": read_remove,
    "stream.pause": read_pause,
    "stream.resume": read_resume,
    "subscribe": _subscribe,
    "memory.stats": _memory_stats,
    "memory.search": _memory_search,
    "memory.clear": _memory_clear,
    "watch.create": read_create,
    "watch.list": lambda _: WatchList(),
    "watch.delete": read_delete,
    "ping": lambda _: Ping(),
}


def _only_text(fields: Fields) -> None:
    modalities = fields.texts("output_modalities")
    if modalities is not None and modalities != ["text"]:
        raise fields.invalid("output_modalities", '["text"]; answers are never spoken')
    if fields.raw("tools"):
        raise fields.invalid("tools", "empty; tools are not called here")


def _options(fields: Fields, extras: Fields) -> AskOptions:
    deadline_ms = extras.number("deadline_ms", 1, DAY_MS)
    return AskOptions(
        instructions=fields.text("instructions", limit=MAX_TEXT),
        max_tokens=_max_tokens(fields),
        temperature=extras.number("temperature", 0, 2),
        top_p=_top_p(extras),
        seed=extras.integer("seed", 0, 2**63 - 1),
        max_evidence=extras.integer("max_evidence", 0, 1000),
        history_turns=extras.integer("history_turns", 0, MAX_TURNS),
        deadline_s=None if deadline_ms is None else deadline_ms / 1000,
        metadata=_metadata(fields),
    )


def _max_tokens(fields: Fields) -> int | None:
    if fields.raw("max_output_tokens") == "inf":
        return MAX_TOKENS
    return fields.integer("max_output_tokens", 1, MAX_TOKENS)


def _top_p(extras: Fields) -> float | None:
    top_p = extras.number("top_p", 0, 1)
    if top_p == 0:
        raise extras.invalid("top_p", "a number above 0 and at most 1")
    return top_p


def _metadata(fields: Fields) -> dict[str, str]:
    found = fields.raw("metadata")
    if found is None:
        return {}
    if not isinstance(found, dict) or len(found) > MAX_METADATA:
        raise fields.invalid("metadata", f"an object of at most {MAX_METADATA} strings")
    metadata = fields.child("metadata")
    return {name[:MAX_ID]: metadata.text(name, limit=MAX_ID) or "" for name in found}


def _stream(extras: Fields) -> str | None:
    names = extras.texts("streams")
    if names is None:
        return None
    if len(names) != 1:
        raise extras.invalid("streams", "a list of one name: a question is about one stream")
    return names[0]


def _time(extras: Fields) -> TimeRange | None:
    time = extras.child("time")

    def read(name: str) -> Json:
        return time.raw(name)

    try:
        return time_range(last=read("last"), start=read("from"), end=read("to"), at=read("at"))
    except ValueError as error:
        raise InvalidRequest(
            f"{extras.path('time')}: {error}", param=extras.path("time")
        ) from error
