"""A session's conversation: a bounded list of messages, of which the newest of the user is the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from livevlm.messages import Exchange
from livevlm.service.fields import InvalidRequest, shown
from livevlm.service.items import (
    MAX_TEXT,
    ItemCommand,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    Message,
    item_json,
)
from livevlm.service.wire import JsonObject

MAX_ITEMS = 100
MAX_KEPT = 16 * MAX_TEXT  # characters of all messages
ROOT = "root"


class Conversation:
    """The newest messages, oldest first; the oldest are forgotten."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._messages: list[Message] = []
        self._characters = 0

    def __contains__(self, item_id: str | None) -> bool:
        return any(message.id == item_id for message in self._messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is remembered, oldest first."""
        return tuple(self._messages)

    def add(self, message: Message, after: str | None = None) -> str | None:
        """Add a message: at the end, behind another, or ("root") before all; the id of the one before it, None where none is.

        Raises InvalidRequest (`item_not_found`) where there is none of the id `after`.
        """
        place = len(self._messages)
        if after is not None:
            place = 0 if after == ROOT else self._place(after, "previous_item_id") + 1
        before = self._messages[place - 1].id if place else None
        self._messages.insert(place, message)
        self._characters += len(message.text)
        oldest = 1 if place == 0 else 0
        while len(self._messages) > max(1, oldest) and self._overfull:
            self._forget(oldest)
        return before

    def find(self, item_id: str) -> Message:
        """The message of this id. Raises InvalidRequest (`item_not_found`)."""
        return self._messages[self._place(item_id, "item_id")]

    def remove(self, item_id: str) -> None:
        """Forget the message of this id. Raises InvalidRequest (`item_not_found`)."""
        self._forget(self._place(item_id, "item_id"))

    @property
    def _overfull(self) -> bool:
        return len(self._messages) > MAX_ITEMS or self._characters > MAX_KEPT

    def _forget(self, place: int) -> None:
        self._characters -= len(self._messages.pop(place).text)

    def _place(self, item_id: str, param: str) -> int:
        for place, message in enumerate(self._messages):
            if message.id == item_id:
                return place
        raise InvalidRequest(
            f"the conversation holds no item {shown(item_id)}; it holds the newest {MAX_ITEMS} that were not deleted",
            param=param,
            code="item_not_found",
            kind="not_found_error",
        )


def obey(
    command: ItemCommand, conversation: Conversation, new_id: Callable[[str], str]
) -> list[tuple[str, JsonObject]]:
    """Do what a client wants with its conversation; the events that tell it, by type and fields. Raises InvalidRequest."""
    match command:
        case ItemCreate(message=message, after=after):
            message = message if message.id else replace(message, id=new_id("item"))
            if message.id in conversation:
                raise InvalidRequest(
                    "this item.id is in use already; leave it out to be given one", param="item.id"
                )
            before = conversation.add(message, after)
            told: JsonObject = {"previous_item_id": before, "item": item_json(message)}
            return [("conversation.item.added", told), ("conversation.item.done", told)]
        case ItemRetrieve(item_id):
            item = item_json(conversation.find(item_id))
            return [("conversation.item.retrieved", {"item": item})]
        case ItemDelete(item_id):
            conversation.remove(item_id)
            return [("conversation.item.deleted", {"item_id": item_id})]


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


def earlier_exchanges(messages: Sequence[Message], most: int) -> tuple[Exchange, ...]:
    """What was asked before the newest user message, each with what was answered to it: the newest `most` of them, oldest
    first, and not more than `MAX_TEXT` characters. A question that has no answer has an empty one.
    """
    found: list[Exchange] = []
    for message in messages:
        if message.role == "user":
            found.append(Exchange(question=message.text, answer=""))
        elif message.role == "assistant" and found:
            said = [found[-1].answer, message.text]
            found[-1] = replace(found[-1], answer="\n".join(filter(None, said)))
    kept: list[Exchange] = []
    room = MAX_TEXT
    for exchange in reversed(found[:-1]):
        room -= len(exchange.question) + len(exchange.answer)
        if len(kept) == most or room < 0:
            break
        kept.insert(0, exchange)
    return tuple(kept)
