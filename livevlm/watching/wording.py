"""Wording: a condition as a question that is answered by yes or no."""

from __future__ import annotations

import re

ASKS = re.compile(
    r"(is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|tell me)\b", re.I
)
THERE = re.compile(r"there (is|are|was|were) (.+)", re.I | re.S)
# Words that make a clause of what would else be a thing. Others end in -s or -ed and cannot be told from things.
SAYS = re.compile(
    r"\b(is|are|was|were|has|have|had|does|do|did|can|comes?|goes|stops?|leaves?|enters?|appears?|moves?|falls?|opens?|closes?)\b",
    re.I,
)


def question_for(condition: str) -> str:
    """The question that a condition is asked as.

    A question stays as it is: "is the door open?". "there is a cat" becomes "is there a cat?", any other clause "is it so
    that a red car stops?", and a thing, "a red star", "is there a red star in view?".
    """
    said = " ".join(condition.split())
    if said.endswith("?"):
        return said
    said = said.rstrip(".!")
    if ASKS.match(said):
        return f"{said}?"
    if there := THERE.fullmatch(said):
        return f"{there[1].lower()} there {there[2]}?"
    said = said[:1].lower() + said[1:] if re.match(r"(A|An|The|Some|Any)\b", said) else said
    if SAYS.search(said):
        return f"is it so that {said}?"
    return f"is there {said} in view?"
