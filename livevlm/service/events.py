"""Server events: the envelope that all share, and those that make up one answer.

Names and shapes of `response.*` are those of the OpenAI Realtime protocol, so that its clients can read them; what they have no
word for stands under `livevlm`.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence

from livevlm.changes import Changed
from livevlm.errors import LiveVLMError, RateLimited
from livevlm.messages import Answer, AnswerChunk, AnswerEvent, Question, Queued, Recalled, Result
from livevlm.service.errands import result_json
from livevlm.service.options import AskOptions
from livevlm.service.streams import changed_json
from livevlm.service.watches import ordered_json
from livevlm.service.wire import (
    PROTOCOL,
    Json,
    JsonObject,
    as_of_json,
    evidence_json,
    failure_json,
    timings_json,
    utc_text,
)
from livevlm.watching.orders import Dropped, Listed, Made, WatchResult
from streams.redact import redact


def random_id(kind: str) -> str:
    """An id that no other session has."""
    return f"{kind}_{uuid.uuid4().hex}"


class Envelopes:
    """Makes one session's events: each with its id and its time. The number (`seq`) is given when it is written."""

    def __init__(self, *, new_id: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._new_id = new_id
        self._clock = clock

    def make(self, kind: str, **fields: Json) -> JsonObject:
        """The next event. It must be sent before any that is made later."""
        return {
            "type": kind,
            "event_id": self._new_id("event"),
            "ts": utc_text(self._clock()),
            **fields,
        }


class AnswerEvents:
    """One accepted question's events, from response.created to the one response.done.

    However the answer comes, the deltas join up to the final text, and a part that was opened is closed.
    """

    def __init__(
        self,
        question: Question,
        *,
        envelopes: Envelopes,
        item_id: str,
        conversation_id: str | None,
        metadata: Mapping[str, str],
        client_event_id: str | None,
    ) -> None:
        self.question = question
        self.item_id = item_id
        self.client_event_id = client_event_id
        self.in_conversation = conversation_id is not None
        self.cancel_asked = False
        self._make = envelopes.make
        self._conversation_id = conversation_id
        self._metadata: Json = dict(metadata) or None
        self._text: list[str] = []
        self._open = False

    @property
    def text(self) -> str | None:
        """What was said so far; None before the first word."""
        return "".join(self._text) if self._open else None

    def created(self) -> list[JsonObject]:
        """The question was accepted."""
        response = self._response(status="in_progress")
        return [self._make("response.created", response=response)]

    def take(self, event: AnswerEvent, *, frames_behind: int | None = None) -> list[JsonObject]:
        """The events that tell what the engine said. After an `Answer` there must be no more."""
        match event:
            case Queued():
                return [self._queued(event)]
            case Recalled():
                return [self._evidence(event)]
            case AnswerChunk():
                return self._delta(event.text)
            case Answer():
                return self._finish(event, frames_behind)

    def _queued(self, queued: Queued) -> JsonObject:
        return self._make("response.queued", response_id=self.question.id, position=queued.position)

    def _evidence(self, recalled: Recalled) -> JsonObject:
        return self._make(
            "response.evidence",
            response_id=self.question.id,
            stream=self.question.stream,
            as_of=as_of_json(recalled.as_of),
            evidence=[evidence_json(span) for span in recalled.evidence],
        )

    def _delta(self, text: str) -> list[JsonObject]:
        if not text:
            return []
        events = self._opening()
        self._text.append(text)
        events.append(self._in_part("response.output_text.delta", delta=text))
        return events

    def _opening(self) -> list[JsonObject]:
        if self._open:
            return []
        self._open = True
        part: JsonObject = {"type": "text", "text": ""}
        return [
            self._in_item("response.output_item.added", self._item("in_progress", None)),
            self._in_part("response.content_part.added", part=part),
        ]

    def _finish(self, answer: Answer, frames_behind: int | None) -> list[JsonObject]:
        sent = "".join(self._text)
        text = answer.text if answer.text.startswith(sent) else sent
        events = self._delta(text[len(sent) :])
        if answer.status == "completed":
            events += self._opening()
        output: list[Json] = []
        if self._open:
            item = self._item("completed" if answer.status == "completed" else "incomplete", text)
            output = [item]
            events += self._closing(item, text)
        return [*events, self._done(answer, output, frames_behind)]

    def _closing(self, item: JsonObject, text: str) -> list[JsonObject]:
        part: JsonObject = {"type": "text", "text": text}
        return [
            self._in_part("response.output_text.done", text=text),
            self._in_part("response.content_part.done", part=part),
            self._in_item("response.output_item.done", item),
        ]

    def _done(self, answer: Answer, output: list[Json], frames_behind: int | None) -> JsonObject:
        response = self._response(
            status=answer.status,
            status_details=self._details(answer),
            output=output,
            usage=usage_json(answer),
        )
        response["livevlm"] = {
            **self._extras(),
            "as_of": as_of_json(answer.as_of),
            "evidence": [evidence_json(span) for span in answer.evidence],
            "timings": timings_json(answer.timings),
            "frames_behind": frames_behind,
        }
        return self._make("response.done", response=response)

    def _details(self, answer: Answer) -> JsonObject:
        details: JsonObject = {"type": answer.status, "error": failure_json(answer.failure)}
        if answer.status == "cancelled":
            details["reason"] = "client_cancelled" if self.cancel_asked else "server_cancelled"
        elif answer.status == "incomplete":
            details["reason"] = answer.failure.code if answer.failure else "max_output_tokens"
        return details

    def _response(self, **fields: Json) -> JsonObject:
        return {
            "object": "realtime.response",
            "id": self.question.id,
            "status": None,
            "conversation_id": self._conversation_id,
            "output_modalities": ["text"],
            "max_output_tokens": self.question.max_tokens,
            "metadata": self._metadata,
            "status_details": None,
            "output": [],
            "usage": None,
            "livevlm": self._extras(),
            **fields,
        }

    def _extras(self) -> JsonObject:
        return {"stream": self.question.stream, "client_event_id": self.client_event_id}

    def _item(self, status: str, text: str | None) -> JsonObject:
        content: list[Json] = [] if text is None else [{"type": "output_text", "text": text}]
        return {
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _in_item(self, kind: str, item: JsonObject) -> JsonObject:
        return self._make(kind, response_id=self.question.id, output_index=0, item=item)

    def _in_part(self, kind: str, **fields: Json) -> JsonObject:
        return self._make(
            kind,
            response_id=self.question.id,
            item_id=self.item_id,
            output_index=0,
            content_index=0,
            **fields,
        )


def usage_json(answer: Answer) -> JsonObject:
    """Tokens: what was remembered of the stream counts as input that was cached."""
    read = answer.question_tokens + answer.context_tokens
    return {
        "total_tokens": read + answer.answer_tokens,
        "input_tokens": read,
        "output_tokens": answer.answer_tokens,
        "input_token_details": {
            "text_tokens": answer.question_tokens,
            "image_tokens": answer.context_tokens,
            "cached_tokens": answer.context_tokens,
            "audio_tokens": 0,
        },
        "output_token_details": {"text_tokens": answer.answer_tokens, "audio_tokens": 0},
    }


def session_json(
    session_id: str,
    *,
    info: Mapping[str, str],
    options: AskOptions,
    streams: Sequence[str],
    stream: str | None,
) -> JsonObject:
    """The session as it is told at its start and after each update."""
    extras: JsonObject = {
        "protocol": PROTOCOL,
        "version": info.get("version"),
        "streams": [*streams],
        "stream": stream,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_evidence": options.max_evidence,
        "history_turns": options.history_turns,
    }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": info.get("model"),
        "output_modalities": ["text"],
        "instructions": options.instructions,
        "max_output_tokens": options.max_tokens,
        "livevlm": {**extras, "model": info.get("model")},
    }


def outcome_json(result: Result | Changed | WatchResult) -> tuple[str, JsonObject]:
    """The event that tells what came of an errand, a change or an order, by its type and its fields."""
    match result:
        case Changed():
            return changed_json(result)
        case Made() | Listed() | Dropped():
            return ordered_json(result)
    return result_json(result)


def error_json(error: LiveVLMError, event_id: str | None) -> JsonObject:
    """An error; `event_id` is the client's own of the event that was wrong. What is quoted of that may be an address, and what
    a client is told it may log: no credentials are in it.
    """
    told: JsonObject = {
        "type": error.kind,
        "code": error.code,
        "message": redact(error.message),
        "param": getattr(error, "param", None),
        "event_id": event_id,
    }
    if isinstance(error, RateLimited):
        told["retry_after_ms"] = math.ceil(1000 * error.retry_after_s)
    return told
