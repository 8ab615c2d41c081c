"""What a chat completion asks for, read without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from livevlm.gateway.chat import read_chat
from livevlm.messages import Exchange, TimeRange
from livevlm.service.fields import InvalidRequest
from tests.livevlm.gateway.doors import camera, text, user


def read(*messages: Any, **more: Any) -> Any:
    """A request with these messages, read."""
    return read_chat({"messages": list(messages), **more}, deadline_s=60.0)


def test_the_newest_user_message_is_the_question() -> None:
    """Parts of text join up, and what the system says is read before it."""
    chat = read(
        {"role": "system", "content": "Be brief."},
        user("what was it?"),
        {"role": "assistant", "content": "A cup."},
        {"role": "developer", "content": [text("Answer in English.")]},
        user(text("and"), text("now?")),
    )
    assert chat.text == "and\nnow?"
    assert chat.earlier == (Exchange(question="what was it?", answer="A cup."),)
    assert chat.options.instructions == "Be brief.\n\nAnswer in English."
    assert (chat.stream, chat.time, chat.streamed, chat.include_usage) == (None, None, False, False)


def test_a_chat_goes_on_about_the_stream_it_named() -> None:
    """Stock clients send the whole chat again: the newest name counts, and `livevlm.streams` above all."""
    before = [user(camera("front"), text("who?")), user(text("here?"), camera("yard"))]
    assert read(*before, user("and now?")).stream == "yard"
    assert read(*before, user("and now?"), livevlm={"streams": ["hall"]}).stream == "hall"


def test_wishes_are_taken_from_either_place() -> None:
    """What OpenAI has a field for may stand there; under `livevlm` it counts more."""
    chat = read(
        user("what?"),
        temperature=1,
        top_p=0.5,
        seed=3,
        max_tokens=7,
        max_completion_tokens=9,
        stream=True,
        stream_options={"include_usage": True},
        model="bundled",
        user="somebody",
        livevlm={
            "temperature": 0.25,
            "max_evidence": 2,
            "history_turns": 3,
            "deadline_ms": 1500,
            "time": {"last": "5m"},
        },
    )
    options = chat.options
    assert (options.temperature, options.top_p, options.seed) == (0.25, 0.5, 3)
    assert (options.max_tokens, options.max_evidence, options.deadline_s) == (9, 2, 1.5)
    assert chat.options.history_turns == 3
    assert chat.time == TimeRange(last_s=300)
    assert (chat.model, chat.streamed, chat.include_usage) == ("bundled", True, True)


def test_nobody_is_waited_for_longer_than_the_gateway_allows() -> None:
    """A deadline of the client's own can only be shorter."""
    assert read(user("what?")).options.deadline_s == 60
    assert read(user("what?"), livevlm={"deadline_ms": 86_400_000}).options.deadline_s == 60


@pytest.mark.parametrize(
    ("request_", "param", "said"),
    [
        ({}, "messages", "1 to 1000"),
        ({"messages": "what?"}, "messages", "list"),
        ({"messages": [user(" ")]}, "messages", "empty"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages", "empty"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role", "assistant"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "parts"),
        ({"messages": [user("a" * 16_385)]}, "messages[0].content", "16384"),
        (
            {"messages": [user({"type": "image_url", "image_url": {"url": "data:"}})]},
            "messages[0].content[0].type",
            "image_url cannot be sent",
        ),
        ({"messages": [user({"type": "poem"})]}, "messages[0].content[0].type", "stream"),
        ({"messages": [user(camera(""))]}, "messages[0].content[0].stream", "name"),
        ({"messages": [user(camera("a"), camera("b"), text("c"))]}, "messages[0].content", "one"),
        (
            {"messages": [{"role": "system", "content": [camera("a")]}]},
            "messages[0].content[0].type",
            "user",
        ),
        ({"livevlm": {"streams": ["a", "b"]}}, "livevlm.streams", "one"),
        ({"livevlm": {"stream": "a"}}, "livevlm.stream", "did you mean streams"),
        ({"livevlm": {"time": {"lest": 4}}}, "livevlm.time.lest", "did you mean last"),
        ({"livevlm": {"time": {"from": 4, "to": 2}}}, "livevlm.time", "before it begins"),
        ({"livevlm": {"max_evidence": -1}}, "livevlm.max_evidence", "0 to 1000"),
        ({"max_tokens": 0}, "max_tokens", "1 to 4096"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"top_p": 0}, "top_p", "above 0"),
        ({"stream": 1}, "stream", "true or false"),
        ({"n": 2}, "n", "ask again"),
        ({"tools": [{}]}, "tools", "not called"),
        ({"stop": "."}, "stop", "leave it out"),
        ({"response_format": {"type": "json_object"}}, "response_format", "plain text"),
    ],
)
def test_what_cannot_be_done_is_named(request_: dict[str, Any], param: str, said: str) -> None:
    """Each refusal names the field and the way out."""
    whole = {"messages": [user("what?")], **request_} if request_ else {}
    with pytest.raises(InvalidRequest, match=said) as error:
        read_chat(whole, deadline_s=60.0)
    assert error.value.param == param


@pytest.mark.parametrize(
    "harmless",
    [
        {"n": 1, "stop": None, "tools": [], "logprobs": False, "response_format": {"type": "text"}},
        {"presence_penalty": 0.5, "user": "u", "metadata": {"a": "b"}, "store": False},
    ],
)
def test_what_asks_for_nothing_else_is_let_pass(harmless: dict[str, Any]) -> None:
    """Stock clients and chat programs send defaults along."""
    assert read(user("what?"), **harmless).text == "what?"
