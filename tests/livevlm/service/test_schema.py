"""The JSON Schema of the protocol: as published, as documented, and as the code that reads and writes events has it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from livevlm.cli import main
from livevlm.errors import LiveVLMError
from livevlm.metrics import Metrics
from livevlm.service.commands import READERS, read_command
from livevlm.service.limits import Limits
from livevlm.service.options import SessionOptions
from livevlm.service.pages import Pages
from livevlm.service.schema import protocol_schema
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.serving import Peer, ask, message, on_loop, running
from tests.livevlm.service.test_protocol_docs import examples
from tests.livevlm.service.test_resume import again, visit

ROOT = Path(__file__).resolve().parents[3]
Event = dict[str, Any]
SCHEMA: Any = protocol_schema()
SAMPLES: list[Event] = [
    *(event for side, event in examples() if side == "client" and event["type"] in READERS),
    {
        "type": "response.create",
        "response": {
            "conversation": "auto",
            "input": [message("hello"), message("hello", "assistant"), message("short", "system")],
            "instructions": "Be brief.",
            "max_output_tokens": "inf",
            "output_modalities": ["text"],
            "tools": [],
            "livevlm": {"time": {"at": "2026-09-21T14:13:35Z"}, "top_p": 0.5, "seed": 3},
        },
    },
    ask("what?", time={"from": "2026-09-21T14:00:00Z", "to": "2026-09-21T17:10:00+02:00"}),
    {"type": "memory.clear", "time": "all"},
    {"type": "watch.create", "condition": "a car", "expires_s": 60, "webhook": {"url": "http://a.b"}},
    {"type": "stream.add", "name": "a", "url": "test:", "speed": "max", "loop": True, "drop": "block"},
]  # fmt: skip
WRONG: list[Any] = [
    "", "x", "x" * 20_000, True, False, -1, 0, 1.5, 1e30, -1e30, [], [1], ["x"], ["x", "y"], {}, {"a": 1}, [{}],
]  # fmt: skip


def closed(schema: Any) -> Any:
    """The schema with no other fields than it names: later versions may add some, this one may not say less than it does."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    if "properties" in made and "type" in made:
        made.setdefault("additionalProperties", False)
    return made


@cache
def validator(name: str) -> Draft202012Validator:
    """What judges the events of a definition."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


@cache
def strict(name: str) -> Draft202012Validator:
    """The same, and no field may be there that the schema does not name."""
    server = {key: value for key, value in SCHEMA["$defs"].items()}
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": closed(server)})


def wrong(side: str, event: Event) -> list[str]:
    """What the schema has against an event."""
    judge = strict(f"{side}.{event['type']}")
    return [f"{error.json_path}: {error.message[:300]}" for error in judge.iter_errors(event)]


def accepted(event: Event) -> bool:
    """Whether the schema lets a client send this."""
    kind = event.get("type")
    name = f"client.{kind}" if isinstance(kind, str) and kind in READERS else "client"
    return bool(validator(name).is_valid(event))


def understood(event: Event) -> bool:
    """Whether the server reads it."""
    try:
        read_command(event)
    except LiveVLMError:
        return False
    return True


def test_what_is_published_is_what_the_code_makes() -> None:
    """Otherwise: livevlm schema > docs/protocol.schema.json"""
    published = (ROOT / "docs" / "protocol.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == SCHEMA
    Draft202012Validator.check_schema(SCHEMA)


def test_the_command_and_the_page_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It can be had from the program and from a running daemon."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
    page = Pages(Desk(), metrics=Metrics(), clock=lambda: 0.0).page("/v1/protocol.schema.json")
    assert (page.status, page.content_type) == (200, "application/schema+json")
    assert json.loads(page.text) == SCHEMA


def test_it_knows_every_event_and_no_other() -> None:
    """Those that the code reads, and those that the document shows, of which another test says that they are all."""
    known = {name for name in SCHEMA["$defs"] if "." in name}
    heard = {f"client.{kind}" for kind in READERS}
    said = {f"server.{event['type']}" for side, event in examples() if side == "server"}
    assert known == heard | said


def test_it_allows_every_example_of_the_document() -> None:
    """Each against its own definition, with no field that the schema does not name; one of each against the whole schema."""
    known = [(side, event) for side, event in examples() if event["type"] != "response.crate"]
    for side, event in known:
        assert wrong(side, event) == []
    whole = Draft202012Validator(SCHEMA)
    for event in {event["type"]: event for _, event in known}.values():
        assert whole.is_valid(event)
    assert not whole.is_valid({**known[0][1], "type": "nonsense"})


def test_it_allows_what_a_session_says_when_things_go_wrong() -> None:
    """Answers that fail, are cancelled or find nothing, errors of every kind, a stream without a frame."""
    limits = Limits(messages_per_s=4)
    desk = Desk("front", "back", options=SessionOptions(stream="front", limits=limits))
    for text in ("fail", "nothing yet", "everything", "many 3", "full"):
        desk.tell(ask(text, event_id=text))
        if desk.open:
            desk.queue(2)
            if text == "everything":
                desk.tell({"type": "response.cancel"})
            desk.answer()
    for _ in range(30):
        desk.tell({"type": "stream.list"})
    assert {event["error"]["code"] for event in desk.said if event["type"] == "error"} >= {
        "queue_full",
        "rate_limited",
    }
    for event in desk.said:
        assert wrong("server", event) == []


@on_loop
async def test_it_allows_what_a_real_session_says() -> None:
    """Over a socket, with a cut, to a client that resumes it."""
    async with running() as where:
        async with visit(where) as before:
            await before.peer.send({"type": "subscribe", "topics": ["watch"]})
            await before.peer.send({"type": "watch.create", "condition": "a car"})
            await before.until("watch.created")
            await before.peer.send(ask("hold", event_id="mine"))
            await before.until("response.output_text.delta")
            before.cut()
        where.service.watches.tell("triggered")
        where.service.release()
        async with again(where, before) as after:
            await after.until("response.done")
            await say_all(after.peer)
            after.heard += await after.peer.until("pong")
    for event in before.heard + after.heard:
        assert wrong("server", event) == []


async def say_all(peer: Peer) -> None:
    """Send one of each event that changes nothing, and a ping at the end."""
    for kind in ("stream.list", "memory.stats", "watch.list", "response.cancel", "nonsense"):
        await peer.send({"type": kind})
    await peer.send({"type": "memory.search", "query": "a car"})
    await peer.until("memory.found")
    await peer.send({"type": "ping"})


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside a value."""
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for name, held in inside:
        yield (*path, name)
        yield from paths(held, (*path, name))


def changed(event: Event, path: tuple[Any, ...], value: Any) -> Event:
    """An event with something else in one place."""
    made = copy.deepcopy(event)
    place: Any = made
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return made


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda event: str(event["type"]))
def test_what_the_server_refuses_the_schema_refuses(sample: Event) -> None:
    """Every field of every event with every kind of wrong value: whoever keeps to the schema is understood."""
    assert understood(sample)
    assert accepted(sample)
    for path in paths(sample):
        for value in WRONG:
            event = changed(sample, path, value)
            if path[-1] in ("from", "to") and isinstance(value, (int, float)):
                continue  # no schema says which of two comes first
            assert understood(event) or not accepted(event), (path, value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: number % 1)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_field_the_schema_is_not_laxer_than_the_server(
    data: st.DataObject,
) -> None:
    """The same with values that nobody thought of."""
    sample = data.draw(st.sampled_from(SAMPLES))
    path = data.draw(st.sampled_from(list(paths(sample))))
    event = changed(sample, path, data.draw(VALUES))
    assume(path[-1] not in ("from", "to"))  # no schema says which of two comes first
    assert understood(event) or not accepted(event)
