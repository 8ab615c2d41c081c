"""Cutting a chat template."""

from __future__ import annotations

from typing import Any

import pytest

from livevlm.chat import Between, ChatLayout, chat_layout, fitting
from livevlm.messages import Exchange


def render(messages: list[dict[str, Any]], shape: str = "<s>{system}<u><video>\n{text}<a>") -> str:
    """A template in the manner of real ones."""
    system = "".join(
        part.get("text", "") for message in messages[:-1] for part in message["content"]
    )
    text = "".join(part.get("text", "") for part in messages[-1]["content"])
    return shape.format(system=system, text=text)


def test_the_parts_are_the_template() -> None:
    """What stands before the video, before the question and after it."""
    layout = chat_layout(render, "<video>", "Be brief.")
    assert layout.before_video == "<s>Be brief.<u>"
    assert layout.ask("why?") == "\nwhy?<a>"


@pytest.mark.parametrize("shape", ["{text}", "<video><video>{text}", "{text}<video>", "<video>"])
def test_a_template_that_cannot_be_cut_is_refused(shape: str) -> None:
    """No video, two videos, the question first, no question: each is an error that shows the text."""
    with pytest.raises(ValueError, match="chat template"):
        chat_layout(lambda messages: render(messages, shape), "<video>")


def marked(messages: list[dict[str, Any]], end: str = "<{}>", trim: bool = False) -> str:
    """A template in the manner of ChatML. end: what closes a turn, by its number; trim: the last assistant's turn alone is
    shown.
    """
    shown = ""
    for number, message in enumerate(messages):
        parts = [part.get("text", "<video>") for part in message["content"]]
        if trim and message["role"] == "assistant" and number < len(messages) - 2:
            parts = []
        shown += f"<{message['role']}>" + "\n".join(parts) + end.format(number)
    return shown + "<assistant>"


def test_a_dialogue_is_what_the_template_makes_of_it() -> None:
    """Earlier turns stand between video and question exactly as the template writes them."""
    system = [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]
    turns = [("user", "one?"), ("assistant", "A cup."), ("user", "two?"), ("assistant", "")]
    messages = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in turns]
    messages[0]["content"].insert(0, {"type": "video"})  # type: ignore[attr-defined]
    messages.append({"role": "user", "content": [{"type": "text", "text": "three?"}]})
    layout = chat_layout(lambda told: marked(told, "</>"), "<video>", "Be brief.")
    earlier = [Exchange(question="one?", answer="A cup."), Exchange(question="two?", answer="")]
    whole = marked([*system, *messages], "</>")
    assert layout.before_video + "<video>" + layout.ask("three?", earlier) == whole
    assert layout.ask("three?") == layout.ask("three?", [])


@pytest.mark.parametrize("trim", [False, True])
def test_where_turns_are_not_alike_earlier_ones_are_left_out(trim: bool) -> None:
    """A template that numbers turns, or hides earlier answers, cannot be cut: the question is asked as ever."""
    end = "</>" if trim else "<{}>"
    layout = chat_layout(lambda told: marked(told, end, trim), "<video>")
    assert layout.between is None
    assert layout.ask("two?", [Exchange(question="one?", answer="A cup.")]) == layout.ask("two?")


def test_the_oldest_turns_give_way() -> None:
    """What fits is the newest, without gaps, each with all that stands around it."""
    layout = ChatLayout("", "", "", Between("|", "|"))
    earlier = [Exchange(question="q" * size, answer="a") for size in (1, 5, 2)]
    sizes = {3: 0, 4: 0, 5: 1, 12: 1, 13: 2, 16: 2, 17: 3, 99: 3}
    for room, count in sizes.items():
        assert fitting(layout, earlier, len, room) == tuple(earlier[3 - count :]), room
