"""A chat completion that is asked for: its JSON to a question for the daemon. Whatever is wrong is an `InvalidRequest`.

What would change the form of an answer and is not to be had here is refused (tools, several choices, stop words); what only
shades it (penalties, `user`) is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from livevlm.layers import nearest
from livevlm.messages import Exchange, TimeRange
from livevlm.service.commands import MAX_TOKENS
from livevlm.service.conversation import earlier_exchanges
from livevlm.service.fields import Fields, InvalidRequest
from livevlm.service.items import MAX_ID, MAX_TEXT, Message, Role
from livevlm.service.options import AskOptions
from livevlm.service.timespan import time_range
from livevlm.service.wire import Json, JsonObject

T = TypeVar("T")

MAX_MESSAGES = 1000
DAY_MS = 86_400_000.0
MAX_SEED = 2**63 - 1
MAX_TURNS = 100
EXTRAS = (
    "streams", "time", "max_evidence", "history_turns", "deadline_ms", "temperature", "top_p", "seed",
)  # fmt: skip
TIMES = ("last", "from", "to", "at")
ROLES: Mapping[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}

# What is refused unless its value means "as usual", and what to do instead.
REFUSED: Mapping[str, tuple[Callable[[Json], bool], str]] = {
    "n": (lambda value: value == 1, "there is one answer; ask again for another"),
    "tools": (lambda value: value == [], "tools are not called here"),
    "functions": (lambda value: value == [], "functions are not called here"),
    "stop": (lambda value: value == [], "the answer ends where the model ends it"),
    "logprobs": (lambda value: value is False, "probabilities of tokens are not told"),
    "modalities": (lambda value: value == ["text"], "answers are text"),
    "response_format": (lambda value: value == {"type": "text"}, "answers are plain text"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A question as a chat completion asks it, and what was said before. streamed: the answer comes piece by piece;
    include_usage: the last piece counts tokens.
    """

    text: str
    earlier: tuple[Exchange, ...]
    model: str | None
    stream: str | None
    time: TimeRange | None
    options: AskOptions
    streamed: bool
    include_usage: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One message, and the stream that it names."""

    message: Message
    stream: str | None


def read_chat(value: JsonObject, *, deadline_s: float) -> ChatRequest:
    """The question in a request's body; `deadline_s` is how long its answer may take where it does not say."""
    chat = Fields(value)
    for name, (harmless, instead) in REFUSED.items():
        found = chat.raw(name)
        if found is not None and not harmless(found):
            raise InvalidRequest(
                f"{name} is not understood: {instead}; leave it out",
                param=name,
                code="unsupported_parameter",
            )
    turns = _turns(chat)
    messages = [turn.message for turn in turns]
    asked = [message.text for message in messages if message.role == "user"]
    if not asked or not asked[-1].strip():
        raise InvalidRequest(
            "the question is empty; put its text into the newest message of the role user",
            param="messages",
        )
    extras = chat.child("livevlm")
    _known(extras, EXTRAS)
    told = [one.text for one in messages if one.role == "system" and one.text.strip()]
    return ChatRequest(
        text=asked[-1],
        earlier=earlier_exchanges(messages, MAX_TURNS),
        model=chat.text("model", limit=MAX_ID),
        stream=_stream(extras, turns),
        time=_time(extras),
        options=_options(chat, extras, "\n\n".join(told), deadline_s),
        streamed=_flag(chat, "stream"),
        include_usage=_flag(chat.child("stream_options"), "include_usage"),
    )


def _turns(chat: Fields) -> list[_Turn]:
    messages = chat.children("messages")
    if not 0 < len(messages) <= MAX_MESSAGES:
        raise InvalidRequest(
            f"messages must be a list of 1 to {MAX_MESSAGES} messages, not {len(messages)}",
            param="messages",
        )
    return [_turn(message) for message in messages]


def _turn(message: Fields) -> _Turn:
    role = ROLES.get(message.text("role") or "")
    if role is None:
        raise message.invalid("role", '"user", "assistant", "system" or "developer"')
    content = message.raw("content")
    texts, streams = [content] if isinstance(content, str) else [], []
    if content is not None and not isinstance(content, (str, list)):
        raise message.invalid("content", "a string, or a list of parts")
    for part in message.children("content") if isinstance(content, list) else []:
        kind = part.text("type")
        if kind == "text":
            texts.append(part.text("text") or "")
        elif kind == "stream" and role == "user":
            streams.append(_part_stream(part))
        else:
            raise _wrong_part(part, kind)
    text = "\n".join(texts)
    if len(text) > MAX_TEXT:
        raise InvalidRequest(
            f"{message.path('content')} has {len(text)} characters, more than the {MAX_TEXT} allowed",
            param=message.path("content"),
        )
    named = _one(streams, message.path("content"))
    return _Turn(message=Message(role=role, text=text), stream=named)


def _part_stream(part: Fields) -> str:
    name = part.text("stream", limit=MAX_ID)
    if not name:
        raise part.invalid("stream", "the name of a stream")
    return name


def _wrong_part(part: Fields, kind: str | None) -> InvalidRequest:
    if kind in ("image_url", "input_audio", "file"):
        return InvalidRequest(
            f"{part.path('type')}: {kind} cannot be sent here; questions are about what a stream shows, which a part"
            ' {"type": "stream", "stream": NAME} names',
            param=part.path("type"),
            code="unsupported_content",
        )
    return part.invalid("type", '"text", or "stream" in a message of the role user')


def _stream(extras: Fields, turns: list[_Turn]) -> str | None:
    """The stream that `livevlm.streams` names, or else the newest message that names one: a chat goes on about its stream."""
    names = extras.texts("streams")
    if names:
        return _one(names, extras.path("streams"))
    return next((turn.stream for turn in reversed(turns) if turn.stream is not None), None)


def _one(names: list[str], param: str) -> str | None:
    if len(set(names)) > 1:
        raise InvalidRequest(
            f"{param} names {len(set(names))} streams; a question is about one: ask once for each",
            param=param,
        )
    return names[0] if names else None


def _time(extras: Fields) -> TimeRange | None:
    time = extras.child("time")
    _known(time, TIMES)
    last, start, end, at = map(time.raw, TIMES)
    try:
        return time_range(last=last, start=start, end=end, at=at)
    except ValueError as error:
        raise InvalidRequest(
            f"{extras.path('time')}: {error}", param=extras.path("time")
        ) from error


def _options(chat: Fields, extras: Fields, told: str, deadline_s: float) -> AskOptions:
    deadline_ms = extras.number("deadline_ms", 1, DAY_MS)
    tokens = chat.integer("max_completion_tokens", 1, MAX_TOKENS)
    if tokens is None:
        tokens = chat.integer("max_tokens", 1, MAX_TOKENS)
    return AskOptions(
        instructions=told or None,
        max_tokens=tokens,
        temperature=_either(chat, extras, lambda fields: fields.number("temperature", 0, 2)),
        top_p=_either(chat, extras, _top_p),
        seed=_either(chat, extras, lambda fields: fields.integer("seed", 0, MAX_SEED)),
        max_evidence=extras.integer("max_evidence", 0, 1000),
        history_turns=extras.integer("history_turns", 0, MAX_TURNS),
        deadline_s=deadline_s if deadline_ms is None else min(deadline_s, deadline_ms / 1000),
    )


def _either(chat: Fields, extras: Fields, read: Callable[[Fields], T | None]) -> T | None:
    """A wish under `livevlm`, or else the one at its usual place."""
    found = read(extras)
    return read(chat) if found is None else found


def _top_p(fields: Fields) -> float | None:
    top_p = fields.number("top_p", 0, 1)
    if top_p == 0:
        raise fields.invalid("top_p", "a number above 0 and at most 1")
    return top_p


def _flag(fields: Fields, name: str) -> bool:
    value = fields.raw(name)
    if value is not None and not isinstance(value, bool):
        raise fields.invalid(name, "true or false")
    return bool(value)


def _known(fields: Fields, names: tuple[str, ...]) -> None:
    """Refuse what is not known: a misspelt wish would be none."""
    for name in fields.besides(names):
        raise InvalidRequest(
            f"{fields.path(name)} is not known{nearest(name, names)}",
            param=fields.path(name),
        )
