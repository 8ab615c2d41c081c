"""The asker's half of the protocol, without a socket: a question to JSON, events to an answer, refusals to errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self, cast

from livevlm import errors
from livevlm.errors import LiveVLMError
from livevlm.messages import Answer, AnswerChunk, AnswerEvent, Failure, Recalled, Status, TimeRange
from livevlm.service.options import AskOptions
from livevlm.service.wire import (
    Json,
    JsonObject,
    child,
    read_as_of,
    read_evidence,
    read_failure,
    read_timings,
    time_range_json,
)

KNOWN = (
    errors.ModelNotFound,
    errors.StreamExists,
    errors.TooManyStreams,
    errors.WatchExists,
    errors.TooManyWatches,
    errors.WatchNotFound,
    errors.StreamNotFound,
    errors.ResponseNotFound,
    errors.NoFramesYet,
    errors.RangeNotInMemory,
    errors.NotErased,
    errors.QueueFull,
    errors.DeadlineExceeded,
    errors.ConfigError,
)


class Reply:
    """One accepted question: an async iterator of `Recalled`, `AnswerChunk`s and, last, the `Answer`."""

    def __init__(
        self, response_id: str, stream: str, cancel: Callable[[], Awaitable[None]]
    ) -> None:
        self.id = response_id
        self.stream = stream
        self._cancel = cancel
        self._events: asyncio.Queue[AnswerEvent | LiveVLMError] = asyncio.Queue()
        self._end: Answer | LiveVLMError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnswerEvent:
        """The next event. Raises ServerUnreachable when the connection is lost before the answer's end."""
        if self._end is not None:
            raise StopAsyncIteration
        event = await self._events.get()
        if isinstance(event, LiveVLMError):
            self._end = event
            raise event
        if isinstance(event, Answer):
            self._end = event
        return event

    async def answer(self) -> Answer:
        """The whole answer, as soon as it has ended; events that nobody iterated over are skipped."""
        async for _ in self:
            pass
        if isinstance(self._end, LiveVLMError):
            raise self._end
        assert self._end is not None
        return self._end

    async def cancel(self) -> None:
        """Ask the daemon to stop; the answer then ends with status "cancelled", unless it had just ended."""
        if self._end is None:
            await self._cancel()

    def put(self, event: AnswerEvent | LiveVLMError) -> None:
        """For the connection's reader: one more event."""
        self._events.put_nowait(event)


def error_from(failure: Failure) -> LiveVLMError:
    """The error of `livevlm.errors` that a failure names; one of an unknown code keeps its code and kind."""
    for known in KNOWN:
        if known.code == failure.code:
            return known(failure.message)
    error = LiveVLMError(failure.message)
    error.code, error.kind = failure.code, failure.kind
    if failure.kind == errors.ConfigError.kind:
        error.exit_code = errors.ConfigError.exit_code
    return error


def response_json(
    text: str, *, stream: str | None, time: TimeRange | None, options: AskOptions
) -> JsonObject:
    """The `response` of a one-message response.create; what is None is left out."""
    extras: dict[str, Json] = {
        "streams": None if stream is None else [stream],
        "time": None if time is None else time_range_json(time),
        "max_evidence": options.max_evidence,
        "deadline_ms": None if options.deadline_s is None else 1000 * options.deadline_s,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "seed": options.seed,
    }
    response: dict[str, Json] = {
        "conversation": "none",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": text}],
            }
        ],
        "instructions": options.instructions,
        "max_output_tokens": options.max_tokens,
        "metadata": dict(options.metadata) or None,
        "livevlm": _without_none(extras) or None,
    }
    return _without_none(response)


def read_progress(event: JsonObject, response_id: str) -> AnswerEvent | None:
    """What an event tells of its answer, or None where it tells nothing new."""
    match event.get("type"):
        case "response.evidence":
            as_of = read_as_of(event.get("as_of"))
            evidence = read_evidence(event.get("evidence"))
            if as_of is None:
                return None
            return Recalled(question_id=response_id, as_of=as_of, evidence=evidence)
        case "response.output_text.delta":
            return AnswerChunk(question_id=response_id, text=str(event.get("delta", "")))
        case "response.done":
            return read_answer(child(event, "response"))
    return None


def read_answer(response: JsonObject) -> Answer:
    """The `Answer` of a response that is done."""
    extras, usage = child(response, "livevlm"), child(response, "usage")
    details = child(usage, "input_token_details")
    return Answer(
        question_id=str(response.get("id")),
        stream=str(extras.get("stream", "")),
        text=output_text(response),
        status=cast(Status, response.get("status")),
        as_of=read_as_of(extras.get("as_of")),
        evidence=read_evidence(extras.get("evidence")),
        timings=read_timings(extras.get("timings")),
        question_tokens=_count(details.get("text_tokens")),
        context_tokens=_count(details.get("cached_tokens")),
        answer_tokens=_count(usage.get("output_tokens")),
        failure=read_failure(child(response, "status_details").get("error")),
    )


def output_text(response: JsonObject) -> str:
    """All text of a response's output items."""
    items = response.get("output")
    texts = []
    for item in items if isinstance(items, list) else []:
        parts = item.get("content") if isinstance(item, dict) else None
        for part in parts if isinstance(parts, list) else []:
            texts.append(str(part.get("text", "")) if isinstance(part, dict) else "")
    return "".join(texts)


def _without_none(fields: dict[str, Json]) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _count(value: Json) -> int:
    return int(value) if isinstance(value, (int, float)) else 0
