"""docs/protocol.md cannot lie: its examples are replayed, and it leaves out no event and no error code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livevlm.service.commands import READERS
from tests.livevlm.service.desk import Desk

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^```json (client|server)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODULES = (
    "errors",
    "service/commands",
    "service/conversation",
    "service/errands",
    "service/events",
    "service/fields",
    "service/items",
    "service/limits",
    "service/naming",
    "service/protocol",
    "service/resumption",
    "service/streams",
    "service/watches",
)
SAYING = tuple(
    f"service/{name}"
    for name in ("conversation", "errands", "events", "protocol", "streams", "watches")
)
EVENT = re.compile(
    r'"((?:session|conversation|response|stream|memory|watch)\.[a-z_.]+|subscribed|pong|error)"'
)

FIELDS = {
    "response.conversation",
    "response.input",
    "session.livevlm.streams",
}  # named by errors
HEARD = {"stream.add", "stream.remove", "stream.pause", "stream.resume"}  # and sent by clients


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Who says it, and what."""
    return [(side, json.loads(text)) for side, text in EXAMPLE.findall(DOCUMENT)]


def turns() -> Iterator[tuple[dict[str, Any] | None, list[dict[str, Any]]]]:
    """What the client says (None: nothing), and what it hears until it speaks again."""
    asked: dict[str, Any] | None = None
    heard: list[dict[str, Any]] = []
    for side, event in examples():
        if side == "client":
            yield asked, heard
            asked, heard = event, []
        else:
            heard.append(event)
    yield asked, heard


def replay(
    desk: Desk, asked: dict[str, Any] | None, wanted: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What the session says to an example; questions wait and are answered, and watches tell something, when the document says
    so.
    """
    count = len(wanted)
    if asked is not None and asked["type"] == "session.resume":
        return desk.resume(asked)
    said = list(desk.said) if asked is None else desk.tell(asked)
    for event in wanted:
        if event["type"] == "response.queued":
            said += desk.queue(event["position"])
    said += desk.notice()
    for change in ("triggered", "cleared", "expired"):
        if len(said) < count and desk.watches.statuses():
            said += desk.hear(change)
    while len(said) < count and desk.open:
        said += desk.answer()
    return said


def test_the_examples_are_what_a_session_says() -> None:
    """Event by event, field by field, from session.created to session.going_away."""
    desk = Desk("front")
    *before, (last, heard) = turns()
    for asked, wanted in before:
        assert replay(desk, asked, wanted) == wanted
    assert replay(desk, last, heard[:-1]) == heard[:-1]
    desk.perform(desk.session.going_away(time_left_s=10, reason="the daemon is stopping"))
    assert desk.said[-1] == heard[-1]


def source(module: str) -> str:
    """The text of a module of the protocol."""
    return (ROOT / "livevlm" / f"{module}.py").read_text(encoding="utf-8")


def test_every_event_has_an_example() -> None:
    """What the code can say or hear, the document shows."""
    shown = {(side, event["type"]) for side, event in examples()}
    assert {kind for side, kind in shown if side == "client"} >= set(READERS)
    kinds = {kind for module in SAYING for kind in EVENT.findall(source(module))}
    assert {kind for side, kind in shown if side == "server"} == kinds - FIELDS - HEARD


def test_every_error_code_is_listed() -> None:
    """A client can only handle the codes it is told of."""
    listed = set(re.findall(r"^\| `([a-z_]+)` \| `[a-z_]+_error` \|", DOCUMENT, re.MULTILINE))
    named = {
        code
        for module in MODULES
        for code in re.findall(r'code(?:: str)? ?= ?"([a-z_]+)"', source(module))
    }
    assert named - {"server_unreachable", "listen_failed"} == listed
