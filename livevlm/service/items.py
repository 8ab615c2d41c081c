"""Messages of a conversation: what clients say about them, and how they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from livevlm.service.fields import Fields, InvalidRequest
from livevlm.service.wire import JsonObject

MAX_TEXT = 16_384
MAX_ID = 512
ROLES = ("user", "system", "assistant")

Role = Literal["user", "system", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation; `id` is the client's, where it gave one."""

    role: Role
    text: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCreate:
    """One more message in the session's conversation: behind the one of the id `after`, "root" is before all, None the end."""

    message: Message
    after: str | None


@dataclass(frozen=True, slots=True)
class ItemRetrieve:
    """Tell a message of the conversation."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ItemDelete:
    """Forget a message of the conversation."""

    item_id: str


ItemCommand = ItemCreate | ItemRetrieve | ItemDelete


def read_item_create(event: Fields) -> ItemCreate:
    """A conversation.item.create. Raises InvalidRequest."""
    if "item" not in event:
        raise event.invalid("item", "a message")
    after = event.text("previous_item_id", limit=MAX_ID)
    return ItemCreate(message=read_item(event.child("item")), after=after)


def read_item_retrieve(event: Fields) -> ItemRetrieve:
    """A conversation.item.retrieve. Raises InvalidRequest."""
    return ItemRetrieve(_item_id(event))


def read_item_delete(event: Fields) -> ItemDelete:
    """A conversation.item.delete. Raises InvalidRequest."""
    return ItemDelete(_item_id(event))


def read_item(item: Fields) -> Message:
    """A message. Raises InvalidRequest."""
    if item.text("type") not in (None, "message"):
        raise item.invalid("type", '"message"')
    role = item.text("role")
    if role not in ROLES:
        raise item.invalid("role", '"user", "system" or "assistant"')
    parts = item.children("content")
    kinds = ("output_text", "text") if role == "assistant" else ("input_text", "text")
    for part in parts:
        if part.text("type") not in kinds:
            raise part.invalid("type", f'"{kinds[0]}"')
    text = "\n".join(part.text("text") or "" for part in parts)
    if len(text) > MAX_TEXT:
        raise InvalidRequest(
            f"{item.path('content')} has {len(text)} characters, more than the {MAX_TEXT} allowed",
            param=item.path("content"),
        )
    return Message(role=cast(Role, role), text=text, id=item.text("id", limit=MAX_ID))


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


def _item_id(event: Fields) -> str:
    item_id = event.text("item_id", limit=MAX_ID)
    if item_id is None:
        raise event.invalid("item_id", "the id of an item of the conversation")
    return item_id
