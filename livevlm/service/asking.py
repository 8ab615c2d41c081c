"""The asker's half of the protocol, without a socket: a question to JSON, events to an answer, refusals to errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from livevlm import errors
from livevlm.errors import LiveVLMError
from livevlm.messages import (
    Answer,
    AnswerChunk,
    AnswerEvent,
    Exchange,
    Failure,
    Queued,
    Recalled,
    Status,
    TimeRange,
)
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

# By their codes; a class without a code of its own is told as the one above it.
KNOWN: dict[str, type[LiveVLMError]] = {
    known.code: known
    for known in vars(errors).values()
    if isinstance(known, type) and issubclass(known, LiveVLMError) and "code" in vars(known)
}


def error_from(failure: Failure) -> LiveVLMError:
    """The error of `livevlm.errors` that a failure names; one of an unknown code keeps its code and kind."""
    known = KNOWN.get(failure.code)
    if known is not None:
        return known(failure.message)
    error = LiveVLMError(failure.message)
    error.code, error.kind = failure.code, failure.kind
    if failure.kind == errors.ConfigError.kind:
        error.exit_code = errors.ConfigError.exit_code
    return error


def response_json(
    text: str,
    *,
    stream: str | None,
    time: TimeRange | None,
    options: AskOptions,
    earlier: Sequence[Exchange] = (),
) -> JsonObject:
    """The `response` of a response.create beside the session's conversation; what is None is left out."""
    said = [
        message
        for turn in earlier
        for message in (_message("user", turn.question), _message("assistant", turn.answer))
    ]
    extras: dict[str, Json] = {
        "streams": None if stream is None else [stream],
        "time": None if time is None else time_range_json(time),
        "max_evidence": options.max_evidence,
        "history_turns": options.history_turns,
        "deadline_ms": None if options.deadline_s is None else 1000 * options.deadline_s,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "seed": options.seed,
    }
    response: dict[str, Json] = {
        "conversation": "none",
        "input": [*said, _message("user", text)],
        "instructions": options.instructions,
        "max_output_tokens": options.max_tokens,
        "metadata": dict(options.metadata) or None,
        "livevlm": _without_none(extras) or None,
    }
    return _without_none(response)


def read_progress(event: JsonObject, response_id: str) -> AnswerEvent | None:
    """What an event tells of its answer, or None where it tells nothing new."""
    match event.get("type"):
        case "response.queued":
            return Queued(question_id=response_id, position=_count(event.get("position")))
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


def _message(role: str, text: str) -> JsonObject:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _without_none(fields: dict[str, Json]) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}


def _count(value: Json) -> int:
    return int(value) if isinstance(value, (int, float)) else 0
