"""A chat completion as it is answered: the daemon's events to JSON, whole or in chunks.

What OpenAI's format has no word for stands under `livevlm`, as in the daemon's own protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

from livevlm.errors import LiveVLMError
from livevlm.messages import Answer, AnswerChunk, AnswerEvent, Recalled
from livevlm.service.asking import error_from
from livevlm.service.wire import (
    Json,
    JsonObject,
    as_of_json,
    evidence_json,
    failure_json,
    timings_json,
)

STOPPED = "going_away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What every piece of one answer begins with. created: POSIX seconds."""

    model: str
    created: int

    def json(self, kind: str, question_id: str) -> JsonObject:
        """The fields that a `chat.completion`, or a chunk of one, has in common with others."""
        return {
            "id": f"chatcmpl-{question_id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
        }


def failed(answer: Answer) -> LiveVLMError | None:
    """Why there is no answer, where there is none; one that was broken off behind its first words is one."""
    if answer.text and answer.status != "failed":
        return None
    if answer.failure is not None:
        return error_from(answer.failure)
    if answer.status != "cancelled":
        return None
    error = LiveVLMError("the daemon is stopping and has not answered; ask again soon")
    error.code = STOPPED
    return error


def completion_json(answer: Answer, heading: Heading) -> JsonObject:
    """The whole answer as a `chat.completion`."""
    return {
        **heading.json("chat.completion", answer.question_id),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text, "refusal": None},
                "logprobs": None,
                "finish_reason": finish_reason(answer),
            }
        ],
        "usage": usage_json(answer),
        "livevlm": answered_json(answer),
    }


class Chunks:
    """An answer's events to `chat.completion.chunk`s, in their order; one that failed has no end here."""

    def __init__(self, heading: Heading, *, include_usage: bool) -> None:
        self._heading = heading
        self._include_usage = include_usage
        self._begun = False

    def take(self, event: AnswerEvent) -> list[JsonObject]:
        """What is to be sent for an event; nothing for one that says nothing about the answer itself."""
        if isinstance(event, Recalled):
            return self._delta(event, {}, livevlm=seen_json(event))
        if isinstance(event, AnswerChunk):
            return self._delta(event, {"content": event.text})
        return self._end(event) if isinstance(event, Answer) else []

    def _end(self, answer: Answer) -> list[JsonObject]:
        chunks = self._delta(
            answer, {}, finish=finish_reason(answer), livevlm=answered_json(answer)
        )
        if self._include_usage:
            last = self._chunk(answer.question_id, choices=[])
            chunks.append({**last, "usage": usage_json(answer)})
        return chunks

    def _delta(
        self,
        event: AnswerEvent,
        delta: JsonObject,
        *,
        finish: str | None = None,
        livevlm: JsonObject | None = None,
    ) -> list[JsonObject]:
        if not self._begun:
            delta = {"role": "assistant", "content": "", **delta}
            self._begun = True
        choice: JsonObject = {
            "index": 0, "delta": delta, "logprobs": None, "finish_reason": finish,
        }  # fmt: skip
        chunk = self._chunk(event.question_id, choices=[choice])
        return [chunk if livevlm is None else {**chunk, "livevlm": livevlm}]

    def _chunk(self, question_id: str, *, choices: list[Json]) -> JsonObject:
        chunk = self._heading.json("chat.completion.chunk", question_id)
        usage: JsonObject = {"usage": None} if self._include_usage else {}
        return {**chunk, "choices": choices, **usage}


def finish_reason(answer: Answer) -> str:
    """`stop` where the answer is whole, else `length`; `livevlm.status` and `livevlm.error` tell more."""
    return "stop" if answer.status == "completed" else "length"


def usage_json(answer: Answer) -> JsonObject:
    """Tokens: what was remembered of the stream counts as cached ones of the prompt."""
    prompt = answer.question_tokens + answer.context_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer.answer_tokens,
        "total_tokens": prompt + answer.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.context_tokens},
    }


def seen_json(event: Recalled | Answer) -> JsonObject:
    """What an answer is given from."""
    return {
        "as_of": as_of_json(event.as_of),
        "evidence": [evidence_json(span) for span in event.evidence],
    }


def answered_json(answer: Answer) -> JsonObject:
    """All that is known of an answer beside its text."""
    return {
        "stream": answer.stream,
        "status": answer.status,
        **seen_json(answer),
        "timings": timings_json(answer.timings),
        "error": failure_json(answer.failure),
    }
