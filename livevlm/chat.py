"""ChatLayout: what stands before the video, between video and question, and after the question.

A checkpoint's own chat template says it; rendering the template once around two marks and cutting the text at them
gives the three parts. The part before the video is the memory's pinned prompt, the others frame every question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Render = Callable[[list[dict[str, Any]]], str]
_QUESTION = "<<the question>>"


@dataclass(frozen=True, slots=True)
class ChatLayout:
    """The text around a video and a question."""

    before_video: str
    before_question: str
    after_question: str

    def ask(self, question: str) -> str:
        """Everything that follows the video: the question in its frame, up to where the answer begins."""
        return self.before_question + question + self.after_question


def chat_layout(render: Render, video_mark: str, system_prompt: str = "") -> ChatLayout:
    """Cut the chat template at the video and at the question. `render` turns messages into text with an answer's beginning.

    Raises ValueError where the template does not show the two marks once each, in this order.
    """
    messages: list[dict[str, Any]] = []
    if system_prompt:
        messages.append({"role": "system", "content": [{"type": "text", "text": system_prompt}]})
    content = [{"type": "video"}, {"type": "text", "text": _QUESTION}]
    text = render([*messages, {"role": "user", "content": content}])
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
    return ChatLayout(before_video, before_question, after_question)
