"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from livevlm.sample import read_sample

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_file_that_is_linked_exists() -> None:
    """No link leads nowhere."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_make_target_that_is_named_exists() -> None:
    """The commands can be typed as they stand."""
    targets = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = set(re.findall(r"\bmake ([a-z]+)\b", README))
    assert {"demo", "test", "check", "bench"} <= named <= targets


def test_every_place_that_is_named_exists() -> None:
    """The tree in the README is the tree on disk."""
    tree = README.split("## What is where")[1].split("```")[1]
    places = re.findall(r"^(\S+/)", tree, re.MULTILINE)
    assert len(places) == 7
    assert [place for place in places if not (ROOT / place).is_dir()] == []


def test_the_demo_shown_is_the_demo_run() -> None:
    """Questions stand in the README as the sample asks them, each with an answer that counts as right."""
    shown = re.findall(r"^Q \([^)]*\): (.*)\nA: (.*)$", README, re.MULTILINE)
    questions = {question.question: question for question in read_sample().questions}
    assert [question for question, _ in shown] == list(questions)
    assert all(questions[question].accepts(answer) for question, answer in shown)


def test_nothing_was_left_to_fill_in() -> None:
    """No placeholder is published."""
    assert not re.search(r"\b(DEMO|BENCH|MODEL|DEMO_BUDGET|TODO|TBD)\b", README)
