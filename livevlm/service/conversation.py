"""A session's conversation: a bounded list of messages. It has one turn for now: the newest user message is the question."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from livevlm.service.commands import MAX_TEXT, Message
from livevlm.service.fields import InvalidRequest
from livevlm.service.wire import JsonObject

MAX_ITEMS = 100


class Conversation:
    """The newest messages, oldest first; the oldest are forgotten."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._messages: deque[Message] = deque(maxlen=MAX_ITEMS)

    def __contains__(self, item_id: str | None) -> bool:
        return any(message.id == item_id for message in self._messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is remembered, oldest first."""
        return tuple(self._messages)

    def add(self, message: Message) -> str | None:
        """Add a message, and return the id of the one before it."""
        before = self._messages[-1].id if self._messages else None
        self._messages.append(message)
        return before


def question_text(messages: Sequence[Message], instructions: str | None, *, param: str) -> str:
    """What the model is asked: instructions and system messages, then the newest user message. Raises InvalidRequest."""
    asked = [message.text for message in messages if message.role == "user"]
    if not asked or not asked[-1].strip():
        raise InvalidRequest(
            "the question is empty; put its text into a message with the role user", param=param
        )
    told = [message.text for message in messages if message.role == "system"]
    lines = [*([instructions] if instructions else []), *told, asked[-1]]
    text = "\n\n".join(line for line in lines if line.strip())
    if len(text) > MAX_TEXT:
        raise InvalidRequest(
            f"question and instructions have {len(text)} characters, more than {MAX_TEXT}",
            param=param,
        )
    return text


def item_json(message: Message) -> JsonObject:
    """A message as a conversation item."""
    kind = "output_text" if message.role == "assistant" else "input_text"
    return {
        "id": message.id,
        "object": "realtime.item",
        "type": "message",
        "role": message.role,
        "status": "completed",
        "content": [{"type": kind, "text": message.text}],
    }
