"""ChatLayout: what stands before the video, between video and question, and after the question.

A checkpoint's own chat template says it; rendering the template once around two marks and cutting the text at them
gives the three parts. The part before the video is the memory's pinned prompt, the others frame every question. What stands
between the turns of a dialogue is found likewise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from livevlm.messages import Exchange

Render = Callable[[list[dict[str, Any]]], str]
_QUESTION = "<<the question>>"
_ANSWER = "<<the answer>>"


@dataclass(frozen=True, slots=True)
class Between:
    """The text between the turns of a dialogue: from a question to its answer, and from an answer to the next question."""

    before_answer: str
    before_next: str


@dataclass(frozen=True, slots=True)
class ChatLayout:
    """The text around a video and a question. `between` is None where the template has no plain way to write a dialogue."""

    before_video: str
    before_question: str
    after_question: str
    between: Between | None = None

    def ask(self, question: str, earlier: Sequence[Exchange] = ()) -> str:
        """Everything that follows the video: earlier exchanges, where a dialogue can be written, then the question in its
        frame, up to where the answer begins.
        """
        told = "".join(map(self.told, earlier))
        return self.before_question + told + question + self.after_question

    def told(self, exchange: Exchange) -> str:
        """An earlier exchange, up to where the next question begins; empty where it cannot be written."""
        if self.between is None:
            return ""
        asked = exchange.question + self.between.before_answer
        return asked + exchange.answer + self.between.before_next


def fitting(
    layout: ChatLayout, earlier: Sequence[Exchange], count: Callable[[str], int], room: int
) -> tuple[Exchange, ...]:
    """The newest of the earlier exchanges that fit into `room` tokens; `count` says how many a text has."""
    kept: list[Exchange] = []
    for exchange in reversed(earlier):
        room -= count(layout.told(exchange))
        if room < 0:
            break
        kept.insert(0, exchange)
    return tuple(kept)


def chat_layout(render: Render, video_mark: str, system_prompt: str = "") -> ChatLayout:
    """Cut the chat template at the video and at the question. `render` turns messages into text with an answer's beginning.

    Raises ValueError where the template does not show the two marks once each, in this order.
    """
    first = [_message("system", system_prompt)] if system_prompt else []
    content = [{"type": "video"}, {"type": "text", "text": _QUESTION}]
    first.append({"role": "user", "content": content})
    text = render(first)
    if text.count(video_mark) != 1 or text.count(_QUESTION) != 1:
        raise ValueError(
            f"the chat template must hold {video_mark} and the question once each; it gives {text!r}"
        )
    before_video, rest = text.split(video_mark)
    if _QUESTION not in rest:
        raise ValueError(
            f"the chat template must place {video_mark} before the question; it gives {text!r}"
        )
    before_question, after_question = rest.split(_QUESTION)
    return ChatLayout(before_video, before_question, after_question, _between(render, first, text))


def _between(render: Render, first: list[dict[str, Any]], text: str) -> Between | None:
    """What a dialogue of three questions shows between its turns, if that is the same each time, and `text` around them."""
    answer, question = _message("assistant", _ANSWER), _message("user", _QUESTION)
    dialogue = render([*first, answer, question, answer, question])
    parts = re.split(f"({_QUESTION}|{_ANSWER})", dialogue)
    if parts[1::2] != [_QUESTION, _ANSWER, _QUESTION, _ANSWER, _QUESTION]:
        return None
    before, to_answer, to_next, to_answer_again, to_next_again, after = parts[::2]
    if (to_answer, to_next) != (to_answer_again, to_next_again):
        return None
    return Between(to_answer, to_next) if before + _QUESTION + after == text else None


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}
