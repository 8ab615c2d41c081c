"""Cutting a chat template."""

from __future__ import annotations

from typing import Any

import pytest

from livevlm.chat import chat_layout


def render(messages: list[dict[str, Any]], shape: str = "<s>{system}<u><video>\n{text}<a>") -> str:
    """A template in the manner of real ones."""
    system = "".join(part["text"] for message in messages[:-1] for part in message["content"])
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
