"""The client's half of the protocol without a connection: whatever is cut off wherever, all is asked once and answered once."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livevlm.client.audience import Audience
from livevlm.client.ledger import Ledger
from livevlm.client.reply import Reply
from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.service.asking import response_json
from livevlm.service.options import AskOptions
from livevlm.service.wire import JsonObject

Event = dict[str, Any]


class Daemon:
    """One session of a daemon that keeps everything: what it was asked, in order, and all that it said."""

    def __init__(self) -> None:
        self.asked: list[Event] = []
        self.said: list[Event] = []
        self.late: deque[Event] = deque()
        self.down: deque[str] = deque()  # on its way to the client
        self.greeted = False

    def greet(self) -> None:
        """A new connection."""
        self.down.clear()
        session = {"livevlm": {"resume": {"token": "t", "for_s": 60}}}
        greeting = {"type": "session.created", "seq": 1, "session": session}
        if self.greeted:
            self.down.append(json.dumps(greeting))
        else:
            self.greeted = True
            self.say(greeting)

    def say(self, event: Event) -> None:
        """One more event of the session."""
        self.said.append({**event, "seq": len(self.said) + 1})
        self.down.append(json.dumps(self.said[-1]))

    def hear(self, text: str) -> None:
        """One event of the client."""
        event = json.loads(text)
        if event["type"] == "session.resume":
            self.resume(event)
            return
        self.asked.append(event)
        if event["type"] == "response.create":
            response = {
                "id": f"r{len(self.asked)}",
                "livevlm": {"client_event_id": event["event_id"]},
            }
            self.say({"type": "response.created", "response": response})
            for piece in "abc":
                delta = {"type": "response.output_text.delta", "delta": piece}
                self.late.append({**delta, "response_id": response["id"]})
            output = [{"content": [{"text": "abc"}]}]
            done = {"id": response["id"], "status": "completed", "output": output}
            self.late.append({"type": "response.done", "response": done})
        else:
            self.late.append({"type": "told", "client_event_id": event["event_id"]})

    def resume(self, event: Event) -> None:
        """The session goes on over the newest connection."""
        said = {"type": "session.resumed", "seq": event["last_seq"], "received": len(self.asked)}
        session = {"livevlm": {"resume": {"token": "t", "for_s": 60}}}
        self.down.append(json.dumps({**said, "session": session}))
        self.down.extend(json.dumps(one) for one in self.said[event["last_seq"] :])

    def go_on(self) -> None:
        """Say the next thing that takes time."""
        if self.late:
            self.say(self.late.popleft())


class World:
    """A ledger, a daemon and the wires between them, on which events wait to be delivered."""

    def __init__(self) -> None:
        self.ledger = Ledger(Audience(), lambda: None)
        self.daemon = Daemon()
        self.up: deque[str] = deque()
        self.replies: list[Reply] = []
        self.told: list[list[JsonObject | LiveVLMError]] = []
        self.connect()

    def connect(self) -> None:
        """A connection, of which nothing has been delivered yet."""
        self.up.clear()
        self.daemon.greet()
        self.fresh = True

    def cut(self) -> None:
        """What is on its way is lost; another connection follows."""
        if not self.fresh:
            self.ledger.lost(ServerUnreachable("it broke"))
        self.connect()

    def ask(self) -> None:
        """A question."""
        reply = Reply(self.ledger.cancel)
        self.replies.append(reply)
        response = response_json("?", stream=None, time=None, options=AskOptions())
        self.ledger.ask(response, reply)

    def tell(self) -> None:
        """Something else that is answered, and must not be done twice."""
        results: list[JsonObject | LiveVLMError] = []
        self.told.append(results)
        self.ledger.request("stream.add", {}, results.append)

    def send(self) -> None:
        """The client writes."""
        if not self.fresh and (text := self.ledger.outgoing()) is not None:
            self.up.append(text)

    def arrive(self) -> None:
        """An event of the client reaches the daemon."""
        if self.up:
            self.daemon.hear(self.up.popleft())

    def receive(self) -> None:
        """An event of the daemon reaches the client."""
        if not self.daemon.down:
            return
        event = json.loads(self.daemon.down.popleft())
        if not self.fresh:
            self.ledger.receive(event)
            return
        self.fresh = False
        wish = self.ledger.opened(event)
        if wish is not None:
            self.up.append(wish)

    def settle(self) -> None:
        """Let everything be delivered."""
        for _ in range(200):
            for step in (self.receive, self.send, self.arrive, self.daemon.go_on):
                step()


# What moves things comes often, so that a cut finds something on its way.
STEPS = ("ask", "tell", "cut", *("send", "arrive", "receive", "go_on") * 2)


@given(steps=st.lists(st.sampled_from(STEPS), min_size=20, max_size=80))
@settings(max_examples=300)
def test_all_is_asked_once_and_answered_once(steps: list[str]) -> None:
    """Cut wherever: in order, nothing twice, nothing forgotten, no piece of an answer missing."""
    world = World()
    world.receive()
    for step in steps:
        world.daemon.go_on() if step == "go_on" else getattr(world, step)()
    world.settle()
    kinds = [step for step in steps if step in ("ask", "tell")]
    names = {"response.create": "ask", "stream.add": "tell"}
    assert [names[event["type"]] for event in world.daemon.asked] == kinds
    assert all(len(results) == 1 and isinstance(results[0], dict) for results in world.told)
    for reply in world.replies:
        assert reply.result().text == "abc"
        texts = [event.text for event in list(reply._events._items)]
        assert texts == ["abc", "abc"]  # the pieces as one, and the answer


def test_what_has_arrived_is_not_sent_again_and_what_has_not_is() -> None:
    """Of two questions under way, of which nothing was heard when the connection broke."""
    world = World()
    world.receive()
    for _ in range(2):
        world.ask()
        world.send()
    world.arrive()
    world.cut()
    world.settle()
    assert len(world.daemon.asked) == 2
    assert [reply.result().text for reply in world.replies] == ["abc", "abc"]


def test_a_question_that_was_given_up_is_cancelled_when_it_is_accepted() -> None:
    """Not before: it has no id until then."""
    world = World()
    world.ask()
    world.replies[0].cancel()
    world.replies[0].cancel()
    world.settle()
    create, cancel = world.daemon.asked
    assert (create["type"], cancel["type"]) == ("response.create", "response.cancel")
    assert cancel["response_id"] == world.replies[0].id == "r1"


def test_what_nobody_waits_for_is_not_sent() -> None:
    """Where there is no connection yet; what was sent cannot be taken back."""
    world = World()
    event_id = world.ledger.request("ping", {}, lambda _: None)
    world.ledger.withdraw(event_id)
    world.tell()
    world.settle()
    assert [event["type"] for event in world.daemon.asked] == ["stream.add"]


def test_a_greeting_is_asked_for() -> None:
    """Whatever else begins like a daemon."""
    with pytest.raises(ValueError, match="begin with session"):
        Ledger(Audience(), lambda: None).opened({"type": "hello"})


def test_a_lost_session_without_a_token_is_lost_at_once() -> None:
    """Nobody waits for a reconnection that could not help them; what was not sent waits for the next session."""
    ledger = Ledger(Audience(), lambda: None)
    ledger.opened({"type": "session.created", "seq": 1, "session": {}})
    sent: list[object] = []
    waits: list[object] = []
    ledger.request("ping", {}, sent.append)
    assert ledger.outgoing() is not None
    ledger.request("ping", {}, waits.append)
    ledger.lost(ServerUnreachable("it broke"))
    assert [type(one) for one in sent] == [ServerUnreachable]
    assert waits == []
    assert ledger.outgoing() is None
    assert ledger.opened({"type": "session.created", "seq": 1, "session": {}}) is None
    text = ledger.outgoing()
    assert text is not None
    ledger.receive({"type": "pong", "seq": 2, "client_event_id": json.loads(text)["event_id"]})
    assert len(waits) == 1
