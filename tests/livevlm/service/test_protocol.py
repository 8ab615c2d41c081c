"""The protocol without sockets: what is accepted, what is refused and how, and that no input breaks a session."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livevlm.messages import (
    Answer,
    AnswerChunk,
    AsOf,
    Evidence,
    Exchange,
    Question,
    Queued,
    Recalled,
    TimeRange,
)
from livevlm.service.commands import READERS
from livevlm.service.items import MAX_TEXT
from livevlm.service.limits import MALFORMED, RATE_LIMITED, Limits
from livevlm.service.options import AskOptions
from livevlm.service.protocol import SessionOptions
from tests.livevlm.service.desk import Desk
from tests.livevlm.service.fake_service import ended
from tests.livevlm.service.serving import Event, ask, message

CREATE = {"type": "response.create"}


def create(**response: Any) -> Event:
    """A response.create with these fields."""
    return {"type": "response.create", "event_id": "mine", "response": response}


def refusal(desk: Desk, event: object) -> Event:
    """The error that an event is answered with; nothing else may be said."""
    (said,) = desk.tell(event)
    assert said["type"] == "error", said
    error: Event = said["error"]
    return error


def question(**livevlm: Any) -> Question:
    """The question that the engine gets for these wishes."""
    desk = Desk()
    desk.tell(ask("what?", **livevlm))
    return desk.questions[0]


def test_the_session_says_what_it_is() -> None:
    """session.created holds version, model, streams and the defaults."""
    created = Desk("front", "back").said[0]
    assert created["type"] == "session.created"
    assert created["session"]["livevlm"] == {
        "protocol": "livevlm.v1",
        "version": "0.1.0",
        "model": "bundled",
        "streams": ["front", "back"],
        "stream": None,
        "temperature": 0.0,
        "top_p": 1.0,
        "max_evidence": 8,
        "history_turns": 0,
        "resume": {"token": "opaque_1", "for_s": 60},
    }
    assert created["session"]["max_output_tokens"] == 128


def test_every_event_has_an_id_a_number_and_a_time() -> None:
    """Ids are unique, numbers count up by one, times are RFC 3339 UTC with milliseconds."""
    desk = Desk()
    desk.tell(ask("what?"))
    desk.answer()
    desk.tell("nonsense")
    assert [event["seq"] for event in desk.said] == list(range(1, len(desk.said) + 1))
    assert len({event["event_id"] for event in desk.said}) == len(desk.said)
    assert desk.said[0]["ts"] == "2026-09-21T14:13:33.250Z"


@pytest.mark.parametrize(
    ("event", "code", "param", "hint"),
    [
        ("{", "invalid_json", None, "not JSON"),
        (b"{}", "invalid_json", None, "binary"),
        ("[]", "invalid_json", None, "a list"),
        ("[" * 50_000, "invalid_json", None, "nested"),
        ('{"type": "ping", "n": ' + "1" * 5000 + "}", "invalid_json", None, "not JSON"),
        ('{"type": "ping", "n": Infinity}', "invalid_json", None, "Infinity"),
        (r'{"type": "ping", "n": "\ud800"}', "invalid_json", None, "surrogate"),
        ({}, "invalid_value", "type", "response.create"),
        ({"type": ["ping"]}, "invalid_value", "type", "a string"),
        ({"type": "response.crate"}, "unknown_event", "type", "did you mean response.create?"),
        ({"type": "x" * 10_000}, "unknown_event", "type", "known are"),
        ({"type": "ping", "event_id": 5}, "invalid_value", "event_id", "a string"),
        ({"type": "ping", "event_id": "x" * 513}, "invalid_value", "event_id", "512"),
        ({"type": "response.create", "response": 1}, "invalid_value", "response", "an object"),
        (create(input="hello"), "invalid_value", "response.input", "a list"),
        (create(input=["hello"]), "invalid_value", "response.input[0]", "an object"),
        (create(input=[]), "invalid_value", "response.input", "empty"),
        (create(input=[message(" ")]), "invalid_value", "response.input", "empty"),
        (create(input=[message("x", "assistant")]), "invalid_value", "response.input", "empty"),
        (
            create(input=[message("x", "robot")]),
            "invalid_value",
            "response.input[0].role",
            '"user"',
        ),
        (
            create(input=[{"type": "function_call"}]),
            "invalid_value",
            "response.input[0].type",
            "mess",
        ),
        (
            create(input=[{"role": "user", "content": [{"type": "input_audio"}]}]),
            "invalid_value",
            "response.input[0].content[0].type",
            "input_text",
        ),
        (
            create(input=[{"role": "user", "content": [{"type": "input_text", "text": 5}]}]),
            "invalid_value",
            "response.input[0].content[0].text",
            "a string",
        ),
        (
            create(input=[message("x" * (MAX_TEXT + 1))]),
            "invalid_value",
            "response.input[0].content",
            str(MAX_TEXT),
        ),
        (create(conversation="mine"), "invalid_value", "response.conversation", "none"),
        (create(instructions=[]), "invalid_value", "response.instructions", "a string"),
        (create(max_output_tokens=0), "invalid_value", "response.max_output_tokens", "1 to 4096"),
        (create(max_output_tokens=True), "invalid_value", "response.max_output_tokens", "true"),
        (create(max_output_tokens=10**300), "invalid_value", "response.max_output_tokens", "huge"),
        (create(max_output_tokens="all"), "invalid_value", "response.max_output_tokens", "all"),
        (
            create(output_modalities=["audio"]),
            "invalid_value",
            "response.output_modalities",
            "text",
        ),
        (create(tools=[{"name": "f"}]), "invalid_value", "response.tools", "tools"),
        (create(metadata=[]), "invalid_value", "response.metadata", "an object"),
        (create(metadata={"a": 1}), "invalid_value", "response.metadata.a", "a string"),
        (create(livevlm=[]), "invalid_value", "response.livevlm", "an object"),
        (
            create(livevlm={"streams": "front"}),
            "invalid_value",
            "response.livevlm.streams",
            "a list",
        ),
        (
            create(livevlm={"streams": ["a", "b"]}),
            "invalid_value",
            "response.livevlm.streams",
            "one",
        ),
        (
            create(livevlm={"temperature": -1}),
            "invalid_value",
            "response.livevlm.temperature",
            "0 to 2",
        ),
        (create(livevlm={"top_p": 0}), "invalid_value", "response.livevlm.top_p", "above 0"),
        (create(livevlm={"seed": 1.5}), "invalid_value", "response.livevlm.seed", "whole"),
        (
            create(livevlm={"deadline_ms": 0}),
            "invalid_value",
            "response.livevlm.deadline_ms",
            "from 1",
        ),
        (
            create(livevlm={"max_evidence": -1}),
            "invalid_value",
            "response.livevlm.max_evidence",
            "0",
        ),
        (create(livevlm={"time": "now"}), "invalid_value", "response.livevlm.time", "an object"),
        (
            create(livevlm={"time": {"last": "soon"}}),
            "invalid_value",
            "response.livevlm.time",
            "90s",
        ),
        (
            create(livevlm={"time": {"last": -1}}),
            "invalid_value",
            "response.livevlm.time",
            "above 0",
        ),
        (
            create(livevlm={"time": {"from": "x"}}),
            "invalid_value",
            "response.livevlm.time",
            "`from`",
        ),
        (
            create(livevlm={"time": {"from": 5, "to": 4}}),
            "invalid_value",
            "response.livevlm.time",
            "end",
        ),
        (
            create(livevlm={"time": {"from": 5, "to": "2026-01-31T10:00:00Z"}}),
            "invalid_value",
            "response.livevlm.time",
            "both",
        ),
        (
            create(livevlm={"time": {"last": 1, "at": 1}}),
            "invalid_value",
            "response.livevlm.time",
            "one",
        ),
        (CREATE, "invalid_value", "response", "empty"),
        ({"type": "response.cancel"}, "response_not_found", None, "no answer"),
        ({"type": "response.cancel", "response_id": "r"}, "response_not_found", None, "'r'"),
        ({"type": "conversation.item.create"}, "invalid_value", "item", "a message"),
        (
            {"type": "session.update", "session": {"type": "transcription"}},
            "invalid_value",
            "session.type",
            "real",
        ),
        (
            {"type": "session.update", "session": {"livevlm": {"streams": ["side"]}}},
            "stream_not_found",
            "session.livevlm.streams",
            "front",
        ),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(
    event: object, code: str, param: str | None, hint: str
) -> None:
    """An error tells which field is wrong and what would be right, repeats the client's id, and ends nothing."""
    desk = Desk()
    error = refusal(desk, event)
    assert (error["code"], error["param"]) == (code, param)
    assert hint in error["message"]
    assert len(error["message"]) < 500
    sent_id = event.get("event_id") if isinstance(event, dict) else None
    assert error["event_id"] == (
        sent_id if isinstance(sent_id, str) and len(sent_id) < 513 else None
    )
    assert desk.tell({"type": "ping"})[0]["type"] == "pong"


def test_wishes_reach_the_engine() -> None:
    """Everything a client may ask for arrives in the question, and whose it is."""
    desk = Desk("front", "back")
    wishes = {
        "streams": ["back"],
        "time": {"from": 10, "to": 20.5},
        "max_evidence": 3,
        "deadline_ms": 1500,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 42,
    }
    desk.tell(create(input=[message("what?")], max_output_tokens=16, livevlm=wishes))
    assert desk.questions == [
        Question(
            id="resp_1",
            stream="back",
            text="what?",
            max_tokens=16,
            temperature=0.7,
            top_p=0.9,
            seed=42,
            time=TimeRange(from_s=10, to_s=20.5),
            max_evidence=3,
            deadline_s=1.5,
            asker="sess_1",
        )
    ]


def test_what_is_not_wished_for_is_the_daemons_default() -> None:
    """The configuration's defaults hold; `inf` means as much as is allowed."""
    options = SessionOptions(defaults=AskOptions(max_tokens=77, temperature=0.5, top_p=0.8))
    desk = Desk(options=options)
    desk.tell(ask("what?"))
    desk.tell(create(conversation="none", input=[message("what?")], max_output_tokens="inf"))
    first, second = desk.questions
    assert (first.max_tokens, first.temperature, first.top_p) == (77, 0.5, 0.8)
    assert (first.max_evidence, first.time, first.deadline_s) == (8, None, None)
    assert second.max_tokens == 4096


@pytest.mark.parametrize(
    ("time", "meant"),
    [
        ({"last": 60}, TimeRange(last_s=60)),
        ({"last": "1h30m"}, TimeRange(last_s=5400)),
        ({"from": 5}, TimeRange(from_s=5)),
        ({"to": 0}, TimeRange(to_s=0)),
        ({"at": 60}, TimeRange(from_s=57.5, to_s=62.5)),
        (
            {"from": "2026-01-31T10:00:00Z", "to": "2026-01-31T12:30:00+02:00"},
            TimeRange(from_s=1769853600, to_s=1769855400, utc=True),
        ),
        ({"last": None}, None),
        ({}, None),
    ],
)
def test_a_question_may_be_about_a_time(time: Event, meant: TimeRange | None) -> None:
    """A span of stream time or of UTC, the last so many seconds, or around a moment."""
    assert question(time=time).time == meant


def test_the_only_stream_need_not_be_named() -> None:
    """With one stream there is nothing to choose; with several the error lists them."""
    assert question().stream == "front"
    error = refusal(Desk("front", "back"), ask("what?"))
    assert (error["code"], error["param"]) == ("invalid_value", "response.livevlm.streams")
    assert "livevlm.streams, on the command line -s NAME" in error["message"]
    assert "front, back" in error["message"]


def test_an_unknown_stream_is_an_error_that_lists_the_known_ones() -> None:
    """Also when there are none, and when there are too many to list."""
    error = refusal(Desk("front", "back"), ask("what?", streams=["side"]))
    assert (error["type"], error["code"]) == ("not_found_error", "stream_not_found")
    assert "'side'" in error["message"]
    assert "front, back" in error["message"]
    many = refusal(Desk(*(f"camera-{n}" for n in range(1000))), ask("what?", streams=["side"]))
    assert "and 980 more" in many["message"]
    nobody = Desk()
    nobody.statuses = []
    assert "none" in refusal(nobody, ask("what?", streams=["side"]))["message"]
    assert refusal(nobody, ask("what?"))["code"] == "stream_not_found"


def test_the_default_stream_comes_from_the_url_or_an_update() -> None:
    """An unknown one in the URL is told at once, and never silently replaced by another."""
    desk = Desk("front", "back", options=SessionOptions(stream="back"))
    desk.tell(ask("what?"))
    updated = desk.tell({"type": "session.update", "session": {"livevlm": {"streams": ["front"]}}})
    desk.tell(ask("what?"))
    assert [question.stream for question in desk.questions] == ["back", "front"]
    assert updated[0]["session"]["livevlm"]["stream"] == "front"
    lost = Desk("front", options=SessionOptions(stream="side"))
    assert [event["type"] for event in lost.said] == ["session.created", "error"]
    assert refusal(lost, ask("what?"))["code"] == "stream_not_found"


def test_a_session_keeps_its_updates() -> None:
    """session.update sets what later questions are answered by; what it does not name stays."""
    desk = Desk()
    session = {"type": "realtime", "instructions": "Be brief.", "max_output_tokens": 9}
    extras = {"temperature": 0.3, "deadline_ms": 2000}
    updated = desk.tell({"type": "session.update", "session": {**session, "livevlm": extras}})
    desk.tell({"type": "session.update", "session": {"audio": {}, "livevlm": {"seed": 5}}})
    desk.tell(ask("what?"))
    asked = desk.questions[0]
    assert updated[0]["type"] == "session.updated"
    assert updated[0]["session"]["instructions"] == "Be brief."
    assert (asked.text, asked.max_tokens) == ("Be brief.\n\nwhat?", 9)
    assert (asked.temperature, asked.deadline_s, asked.seed) == (0.3, 2.0, 5)


def test_instructions_stand_before_the_question() -> None:
    """A response's own replace the session's; system messages follow them; the newest user message is the question."""
    desk = Desk()
    items = [message("old"), message("Answer in French.", "system"), message("new")]
    desk.tell(create(instructions="Be brief.", input=items))
    assert desk.questions[0].text == "Be brief.\n\nAnswer in French.\n\nnew"
    error = refusal(Desk(), create(instructions="x" * MAX_TEXT, input=[message("what?")]))
    assert str(MAX_TEXT) in error["message"]


def test_a_conversation_is_answered_by_a_bare_response_create() -> None:
    """conversation.item.create, then response.create: the way of the stock clients."""
    desk = Desk()
    added, done = desk.tell({"type": "conversation.item.create", "item": message("one?")})
    desk.tell({"type": "conversation.item.create", "item": {**message("two?"), "id": "mine"}})
    (created,) = desk.tell(CREATE)
    events = desk.answer()
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert (added["item"]["id"], added["previous_item_id"]) == ("item_1", None)
    assert added["item"]["content"] == [{"type": "input_text", "text": "one?"}]
    assert desk.said[3]["item"]["id"] == "mine"
    assert desk.said[3]["previous_item_id"] == "item_1"
    assert created["response"]["conversation_id"] == "conv_1"
    assert desk.questions[0].text == "two?"
    after = desk.tell({"type": "conversation.item.create", "item": message("three?")})
    assert after[0]["previous_item_id"] == events[-1]["response"]["output"][0]["id"]


def test_an_item_id_is_used_once() -> None:
    """Two items of one id could not be told apart; an answer's own id may be taken without harm."""
    desk = Desk()
    item = {"type": "conversation.item.create", "item": {**message("one?"), "id": "item_1"}}
    desk.tell(item)
    assert refusal(desk, item)["param"] == "item.id"
    desk.tell(CREATE)
    assert desk.answer()[-1]["response"]["status"] == "completed"


def test_a_conversation_forgets_its_oldest_messages() -> None:
    """A session's memory is bounded, however long it lasts."""
    desk = Desk()
    item = {"type": "conversation.item.create", "item": {**message("first?"), "id": "first"}}
    desk.tell(item)
    for number in range(100):
        desk.tell({"type": "conversation.item.create", "item": message(f"{number}?")})
    assert desk.tell(item)[0]["type"] == "conversation.item.added"


def test_a_conversation_of_long_messages_forgets_sooner() -> None:
    """Messages as long as may be are not kept a hundred at a time: sixteen are, and the newest in any case."""
    desk = Desk()
    for number in range(20):
        item = {**message("x" * MAX_TEXT), "id": f"m{number}"}
        assert desk.tell({"type": "conversation.item.create", "item": item})[0]["item"]["id"]
    for number, kind in ((3, "error"), (4, "conversation.item.retrieved")):
        wish = {"type": "conversation.item.retrieve", "item_id": f"m{number}"}
        assert desk.tell(wish)[0]["type"] == kind
    for number in range(4, 20):
        desk.tell({"type": "conversation.item.delete", "item_id": f"m{number}"})
    for number in range(16):
        item = {**message("y" * MAX_TEXT), "id": f"n{number}"}
        desk.tell({"type": "conversation.item.create", "item": item})
    wish = {"type": "conversation.item.retrieve", "item_id": "n0"}
    assert desk.tell(wish)[0]["type"] == "conversation.item.retrieved"


def test_a_conversation_has_one_answer_at_a_time() -> None:
    """Within the conversation questions take turns; beside it they do not."""
    desk = Desk()
    desk.tell(create(input=[message("one?")]))
    error = refusal(desk, create(input=[message("two?")]))
    desk.tell(ask("beside?"))
    desk.answer("resp_1")
    desk.tell(create(input=[message("three?")]))
    assert error["code"] == "response_already_active"
    assert [asked.text for asked in desk.questions] == ["one?", "beside?", "three?"]


def item(text: str, item_id: str, *, role: str = "user", after: str | None = None) -> Event:
    """A conversation.item.create."""
    event: Event = {
        "type": "conversation.item.create",
        "item": {**message(text, role), "id": item_id},
    }
    return event if after is None else {**event, "previous_item_id": after}


def test_earlier_turns_are_handed_over_as_far_as_is_wished() -> None:
    """The newest question stands alone; what was asked before comes with its answer, as many turns as the asker or the daemon
    wants.
    """
    desk = Desk(options=SessionOptions(defaults=AskOptions(history_turns=1)))
    for text in ("one?", "two?", "three?"):
        desk.tell({"type": "conversation.item.create", "item": message(text)})
        desk.tell(CREATE)
        desk.answer()
    desk.tell({"type": "conversation.item.create", "item": message("four?")})
    desk.tell(create(livevlm={"history_turns": 2}))
    desk.answer()
    desk.tell(create(livevlm={"history_turns": 0}))
    exchanges = [
        Exchange(question=text, answer=f"You asked: {text}") for text in ("one?", "two?", "three?")
    ]
    assert [asked.text for asked in desk.questions] == ["one?", "two?", "three?", "four?", "four?"]
    assert [list(asked.earlier) for asked in desk.questions] == [
        [],
        exchanges[:1],
        exchanges[1:2],
        exchanges[1:],
        [],
    ]


def test_an_input_of_several_messages_is_a_dialogue() -> None:
    """Messages that stand before the question in `input` are earlier turns, whoever keeps them; unanswered ones too."""
    desk = Desk()
    items = [
        message("Hello.", "assistant"),
        message("one?"),
        message("two?"),
        message("A cup.", "assistant"),
        message("And a saucer.", "assistant"),
        message("Be brief.", "system"),
        message("three?"),
    ]
    desk.tell(create(input=items, conversation="none", livevlm={"history_turns": 9}))
    (asked,) = desk.questions
    assert asked.text == "Be brief.\n\nthree?"
    assert asked.earlier == (
        Exchange(question="one?", answer=""),
        Exchange(question="two?", answer="A cup.\nAnd a saucer."),
    )


def test_what_is_too_long_to_be_read_again_is_left_out_oldest_first() -> None:
    """A session's turns are bounded in characters too."""
    desk = Desk()
    items = [message("old?"), message("x" * 100, "assistant")]
    items += [message("y" * (MAX_TEXT - 50)), message("short", "assistant"), message("now?")]
    desk.tell(create(input=items, livevlm={"history_turns": 9}))
    assert [exchange.answer for exchange in desk.questions[0].earlier] == ["short"]


def test_an_answer_that_said_nothing_is_no_item() -> None:
    """What failed before its first word leaves no message behind, as no output item was told of."""
    desk = Desk()
    desk.tell(create(input=[message("fail")]))
    desk.answer()
    assert desk.tell(item("next?", "a"))[0]["previous_item_id"] is None


def test_items_can_be_put_anywhere_told_again_and_deleted() -> None:
    """previous_item_id says where, "root" is before all, and what is deleted is read no more."""
    desk = Desk()
    desk.tell(item("one?", "a"))
    desk.tell(item("two?", "b"))
    (added, _) = desk.tell(item("A cup.", "c", role="assistant", after="a"))
    (first, _) = desk.tell(item("Be brief.", "d", role="system", after="root"))
    (found,) = desk.tell({"type": "conversation.item.retrieve", "item_id": "c"})
    desk.tell(create(livevlm={"history_turns": 9}))
    desk.answer()
    (deleted,) = desk.tell({"type": "conversation.item.delete", "item_id": "a"})
    desk.tell(create(livevlm={"history_turns": 9}))
    assert (added["previous_item_id"], first["previous_item_id"]) == ("a", None)
    assert (found["type"], found["item"]) == ("conversation.item.retrieved", added["item"])
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", "a")
    assert desk.questions[0].text == "Be brief.\n\ntwo?"
    assert desk.questions[0].earlier == (Exchange(question="one?", answer="A cup."),)
    assert desk.questions[1].earlier == ()


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "conversation.item.retrieve", "item_id": "gone"}, "item_id"),
        ({"type": "conversation.item.delete", "item_id": "gone"}, "item_id"),
        (item("two?", "b", after="gone"), "previous_item_id"),
    ],
)
def test_items_that_are_not_there_are_not_found(event: Event, param: str) -> None:
    """The error names the field, and a message without a place is not added."""
    desk = Desk()
    desk.tell(item("one?", "a"))
    error = refusal(desk, event)
    assert (error["type"], error["code"], error["param"]) == (
        "not_found_error",
        "item_not_found",
        param,
    )
    assert refusal(desk, {"type": "conversation.item.retrieve", "item_id": "b"})["param"]


def test_a_full_conversation_keeps_what_was_just_put_first() -> None:
    """Of a hundred messages the oldest other one gives way."""
    desk = Desk()
    for number in range(100):
        desk.tell(item(f"{number}?", f"item-{number}"))
    desk.tell(item("Be brief.", "root-1", role="system", after="root"))
    (found,) = desk.tell({"type": "conversation.item.retrieve", "item_id": "root-1"})
    assert found["type"] == "conversation.item.retrieved"
    assert refusal(desk, {"type": "conversation.item.delete", "item_id": "item-0"})


def test_a_waiting_question_is_told_its_position() -> None:
    """Each time the engine says so, and never after the answer's end."""
    desk = Desk()
    desk.tell(ask("what?"))
    for position in (3, 1):
        (told,) = desk.queue(position)
        assert (told["type"], told["response_id"]) == ("response.queued", "resp_1")
        assert told["position"] == position
    desk.answer()
    desk.deliver(Queued(question_id="resp_1", position=1))
    assert desk.said[-1]["type"] == "response.done"


def test_an_answer_is_as_long_as_the_limit_allows() -> None:
    """Whoever asks for more is told what there is: in the session, in its updates and in the response."""
    desk = Desk(options=SessionOptions(limits=Limits(answer_tokens=50)))
    update = {"type": "session.update", "session": {"max_output_tokens": "inf"}}
    (updated,) = desk.tell(update)
    (created,) = desk.tell(create(input=[message("what?")], max_output_tokens=51))
    assert desk.said[0]["session"]["max_output_tokens"] == 50
    assert updated["session"]["max_output_tokens"] == 50
    assert created["response"]["max_output_tokens"] == desk.questions[0].max_tokens == 50


def test_who_sends_too_fast_is_refused_by_name_and_then_closed() -> None:
    """The error repeats the client's id and says when to go on; after the end nothing is listened to."""
    desk = Desk(options=SessionOptions(limits=Limits(messages_per_s=1)))
    for _ in range(4):
        assert desk.tell({"type": "ping"})[0]["type"] == "pong"
    error = refusal(desk, {"type": "ping", "event_id": "fifth"})
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limited")
    assert (error["event_id"], error["retry_after_ms"]) == ("fifth", 2000)
    desk.now += 2
    assert desk.tell({"type": "ping"})[0]["type"] == "pong"
    while not desk.closed:
        assert refusal(desk, {"type": "ping"})["code"] == "rate_limited"
    assert [end.code for end in desk.closed] == [RATE_LIMITED]
    assert desk.tell({"type": "ping"}) == []


def test_who_talks_nonsense_is_closed() -> None:
    """What is no JSON and what is no event counts; a wrong field does not."""
    desk = Desk(options=SessionOptions(limits=Limits(malformed_per_minute=2)))
    for _ in range(5):
        refusal(desk, {"type": "subscribe", "topics": ["weather"]})
    refusal(desk, "{")
    refusal(desk, {"type": "input_audio_buffer.append"})
    assert desk.closed == []
    refusal(desk, b"binary")
    assert [end.code for end in desk.closed] == [MALFORMED]


def test_questions_and_searches_are_limited_by_the_minute() -> None:
    """A question that was refused for another reason is not counted."""
    desk = Desk(options=SessionOptions(limits=Limits(questions_per_minute=2)))
    desk.tell(ask("one?"))
    refusal(desk, ask(" "))
    assert desk.tell({"type": "memory.search", "query": "a cup"})[0]["type"] == "memory.found"
    for event in (ask("two?"), {"type": "memory.search", "query": "a cup"}):
        error = refusal(desk, event)
        assert (error["code"], error["retry_after_ms"]) == ("rate_limited", 60_000)
    desk.now += 60
    assert desk.tell(ask("three?"))[0]["type"] == "response.created"


def test_metadata_comes_back() -> None:
    """A client may mark its questions to tell parallel answers apart."""
    desk = Desk()
    (created,) = desk.tell(create(input=[message("x?")], metadata={"topic": "dög"}))
    done = desk.answer()[-1]
    assert created["response"]["metadata"] == done["response"]["metadata"] == {"topic": "dög"}
    assert done["response"]["livevlm"]["client_event_id"] == "mine"


def test_cancelling_without_an_id_stops_the_newest_answer() -> None:
    """As in the protocol that ours extends; and once it is over there is nothing to cancel."""
    desk = Desk()
    desk.tell(ask("hold"))
    desk.tell(ask("hold"))
    desk.tell({"type": "response.cancel"})
    assert desk.cancelled == ["resp_2"]
    done = desk.answer("resp_2")[-1]["response"]
    assert done["status_details"] == {
        "type": "cancelled",
        "error": None,
        "reason": "client_cancelled",
    }
    assert (
        refusal(desk, {"type": "response.cancel", "response_id": "resp_2"})["code"]
        == "response_not_found"
    )


def test_a_failed_answer_says_why() -> None:
    """Nothing was said, so no output item is opened; the reason stands where stock clients look for it."""
    desk = Desk()
    desk.tell(ask("nothing yet"))
    (done,) = desk.answer()
    assert done["type"] == "response.done"
    response = done["response"]
    assert (response["status"], response["output"]) == ("failed", [])
    assert response["status_details"]["error"] == {
        "type": "stream_error",
        "code": "no_frames_yet",
        "message": "nothing seen",
    }
    assert response["livevlm"]["as_of"] is None


def test_tokens_are_counted() -> None:
    """What was remembered counts as cached input."""
    desk = Desk()
    desk.tell(ask("what?"))
    usage = desk.answer()[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (409, 3, 412)
    assert usage["input_token_details"]["cached_tokens"] == 400


def test_text_that_was_not_streamed_is_still_told() -> None:
    """An engine that only sends the end: the deltas are made up for, so that they always join up to the text."""
    desk = Desk()
    desk.tell(ask("what?"))
    desk.deliver(ended(desk.questions[0], "all at once", "completed"))
    kinds = [event["type"] for event in desk.said[2:]]
    assert kinds[:3] == [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
    ]
    assert desk.said[4]["delta"] == "all at once"


def test_numbers_that_json_cannot_hold_become_null() -> None:
    """A score of NaN must not make an answer unsendable."""
    desk = Desk()
    desk.tell(ask("what?"))
    nan, far = float("nan"), 1e300
    span = Evidence(
        stream="front", from_s=nan, to_s=far, from_utc=nan, to_utc=far, score=nan, tier="short"
    )
    as_of = AsOf(stream_s=float("inf"), utc=far)
    desk.deliver(Recalled(question_id="resp_1", as_of=as_of, evidence=(span,)))
    evidence = desk.said[-1]
    assert evidence["as_of"] == {"stream_s": None, "utc": None}
    assert evidence["evidence"][0]["score"] is None


def test_what_is_said_after_the_end_is_dropped() -> None:
    """One response.done per question, even if an engine says more, or speaks of a question nobody asked."""
    desk = Desk()
    desk.tell(ask("what?"))
    desk.answer()
    count = len(desk.said)
    desk.deliver(AnswerChunk(question_id="resp_1", text="more"))
    desk.deliver(ended(desk.questions[0], "again", "completed"))
    desk.deliver(AnswerChunk(question_id="resp_99", text="more"))
    assert len(desk.said) == count


def test_a_session_that_is_told_to_go_takes_no_more_questions() -> None:
    """session.going_away, then only what was asked before is answered."""
    desk = Desk()
    desk.tell(ask("before?"))
    desk.perform(desk.session.going_away(time_left_s=10, reason="the daemon is stopping"))
    error = refusal(desk, ask("after?"))
    assert (desk.said[-2]["type"], desk.said[-2]["time_left_s"]) == ("session.going_away", 10)
    assert (error["type"], error["code"]) == ("server_error", "going_away")
    assert desk.answer()[-1]["response"]["status"] == "completed"


def test_a_client_that_leaves_has_its_questions_cancelled() -> None:
    """Only those that are still open."""
    desk = Desk()
    for _ in range(3):
        desk.tell(ask("what?"))
    desk.answer("resp_2")
    desk.perform(desk.session.closed())
    assert desk.cancelled == ["resp_1", "resp_3"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = [
    "type",
    "event_id",
    "response",
    "session",
    "item",
    "input",
    "role",
    "content",
    "text",
    "id",
]
NAMES += ["livevlm", "streams", "time", "from", "to", "last", "at", "metadata", "conversation"]
NAMES += ["instructions", "max_output_tokens", "temperature", "deadline_ms", "response_id", "tools"]
NAMES += ["item_id", "previous_item_id", "history_turns"]
NAMES += ["stream", "query", "k", "condition", "webhook", "url", "for", "threshold", "watch"]
WORDS = ["message", "user", "input_text", "none", "auto", "front", "back", "resp_1", "hold", "full"]
WORDS += ["realtime", "inf", "90s", "2026-01-31T10:00:00Z", "\ud800", "", "all"]
LIKELY = st.recursive(
    st.sampled_from([*READERS, *WORDS]) | st.integers(-1, 10**30) | st.floats() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=20,
)
EVENTS = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from([*READERS]),
    st.dictionaries(st.sampled_from(NAMES), LIKELY, max_size=6),
)
ASKS = st.builds(
    lambda text, conversation, extras: create(
        input=[message(text)], conversation=conversation, livevlm={"streams": ["front"], **extras}
    ),
    st.sampled_from(["what?", "hold", "fail", "full", "nothing yet", "many 3", ""]),
    st.sampled_from(["none", "auto"]),
    st.dictionaries(
        st.sampled_from(["temperature", "time", "max_evidence", "seed"]), LIKELY, max_size=1
    ),
)


@settings(deadline=None, max_examples=300)
@given(
    st.text() | JSON.map(json.dumps) | st.binary() | EVENTS.map(json.dumps) | LIKELY.map(json.dumps)
)
def test_no_message_makes_a_session_raise(text: str | bytes) -> None:
    """Whatever arrives is answered with well-formed events, and the session goes on."""
    desk = Desk("front", "back")
    said = desk.tell(text)
    assert said, "a client hears something about everything it sends"
    for event in said:
        assert event["type"] in KINDS
        if event["type"] == "error":
            assert set(event["error"]) == {"type", "code", "message", "param", "event_id"}
            assert len(event["error"]["message"]) < 1000
    assert desk.tell({"type": "ping"})[0]["type"] == "pong"


KINDS = {
    "error",
    "pong",
    "session.updated",
    "stream.listed",
    "memory.stats",
    "memory.found",
    "memory.cleared",
    "watch.created",
    "watch.listed",
    "watch.deleted",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.retrieved",
    "conversation.item.deleted",
    "response.created",
}


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        EVENTS
        | ASKS
        | ASKS
        | st.just({"type": "response.cancel"})
        | st.just(None)
        | st.just("bytes"),
        max_size=25,
    )
)
def test_every_accepted_question_is_done_exactly_once(script: list[Any]) -> None:
    """Over any mix of questions, cancellations, nonsense and answers: created and done pair up, and text adds up."""
    desk = Desk("front", "back")
    for event in script:
        if event is None and desk.open:
            desk.answer()
        else:
            desk.tell(b"\x00" if event in (None, "bytes") else event)
    while desk.open:
        desk.answer()
    created = Counter(e["response"]["id"] for e in desk.said if e["type"] == "response.created")
    done = Counter(e["response"]["id"] for e in desk.said if e["type"] == "response.done")
    assert created == done == Counter(asked.id for asked in desk.questions)
    assert desk.session.open_questions == 0
    assert [event["seq"] for event in desk.said] == list(range(1, len(desk.said) + 1))
    for event in desk.said:
        if event["type"] == "response.done":
            assert_adds_up(desk, event["response"])


def assert_adds_up(desk: Desk, response: Event) -> None:
    """An answer's events: opened and closed once, and deltas that join up to the text."""
    own = [event for event in desk.said if event.get("response_id") == response["id"]]
    kinds = Counter(event["type"] for event in own)
    text = "".join(event["delta"] for event in own if event["type"] == "response.output_text.delta")
    for name in ("output_item", "content_part"):
        assert kinds[f"response.{name}.added"] == kinds[f"response.{name}.done"] <= 1
    assert kinds["response.output_text.done"] == len(response["output"])
    if response["output"]:
        assert response["output"][0]["content"] == [{"type": "output_text", "text": text}]


@settings(deadline=None)
@given(st.lists(st.text(min_size=0, max_size=5), max_size=8), st.text(max_size=10))
def test_deltas_join_up_whatever_the_engine_says(pieces: list[str], end: str) -> None:
    """Even when the final text is not what was streamed: what a client saw is what it is told at the end."""
    desk = Desk()
    desk.tell(ask("what?"))
    for piece in pieces:
        desk.deliver(AnswerChunk(question_id="resp_1", text=piece))
    final = Answer(question_id="resp_1", stream="front", text=end, status="completed", as_of=None)
    desk.deliver(final)
    assert desk.said[-1]["type"] == "response.done"
    assert_adds_up(desk, desk.said[-1]["response"])
