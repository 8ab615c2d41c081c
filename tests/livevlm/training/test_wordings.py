"""Wordings: what training says, and what is kept for evaluation."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest

from livevlm.training.wordings import MORE, OPENINGS, SAID, TYPES, UNSAID, draw_wording

FIELDS = {
    "kind": "star", "hue": "red", "thing": "star", "things": "stars", "place": "at the top left", "a": "star", "b": "7",
    "rel": "left of", "first": "first", "next": "after",
}  # fmt: skip


def spoken(template: str) -> set[str]:
    """All that a template can say, filled, without the marks and capitals that a question may lack."""
    parts = [part.split("|") for part in re.split(r"[\[\]]", template)]
    # What stands outside of brackets is no choice, even with a bar in it.
    parts = [part if place % 2 else ["|".join(part)] for place, part in enumerate(parts)]
    said = {"".join(chosen) for chosen in product(*parts)}
    return {
        text.format(c=colour, **FIELDS).lower().rstrip("?.").replace(" a star", " star")
        for text in said
        for colour in ("colour", "color")
    }


def all_spoken(wordings: dict[str, tuple[str, ...]]) -> set[str]:
    """All that any type says."""
    return {text for templates in wordings.values() for one in templates for text in spoken(one)}


def test_held_out_wordings_never_come_out_of_training() -> None:
    """Not one of all the sentences that training can say, of any type, is one that evaluation asks."""
    said, unsaid = all_spoken(SAID) | all_spoken(MORE), all_spoken(UNSAID)
    said |= {opening + text for opening in OPENINGS for text in said}
    assert len(said) > 4000
    assert len(unsaid) >= 2 * len(TYPES)
    assert not said & unsaid


def test_held_out_wordings_use_the_words_of_training() -> None:
    """They are other sentences out of the same words, but for two; words never learnt would measure something else."""
    said = {word.strip(",:") for text in all_spoken(SAID) for word in text.split()}
    unsaid = {word.strip(",:") for text in all_spoken(UNSAID) for word in text.split()}
    assert unsaid - said - {"a"} == {"be", "true"}


def test_no_wording_can_be_read_as_of_two_places() -> None:
    """What is at the top right now, and what is in the top right now, differ in a word: no two places make one sentence."""
    places = ["on the left", "on the right", "in the middle", "at the top", "at the bottom"]
    places += [
        f"in the {row} {column}" for row in ("top", "bottom") for column in ("left", "right")
    ]
    meant: dict[str, str] = {}
    for template in SAID["now_at"] + UNSAID["now_at"]:
        for text in spoken(template.replace("{place}", "PLACE")):
            for place in places:
                assert meant.setdefault(text.replace("place", place), place) == place


@pytest.mark.parametrize("type_", TYPES)
def test_all_wordings_of_a_type_ask_for_the_same_fields(type_: str) -> None:
    """Whichever is drawn, it can be filled: the fields that make the question are in every one."""
    wanted = [
        set(re.findall(r"\{(\w+)\}", text)) - {"c"}
        for text in (*SAID[type_], *MORE[type_], *UNSAID[type_])
    ]
    assert all(fields == wanted[0] for fields in wanted)


@pytest.mark.parametrize("unsaid", [False, True])
def test_every_wording_is_drawn(unsaid: bool) -> None:
    """All alternatives come up, and nothing that the templates do not say."""
    for type_ in TYPES:
        rng = np.random.default_rng(0)
        drawn = {draw_wording(rng, type_, unsaid=unsaid) for _ in range(1500)}
        every = {text for one in (UNSAID if unsaid else SAID)[type_] for text in spoken(one)}
        filled = {text for one in drawn for text in spoken(one)}
        assert filled == every
        assert not any(set(one) & set("[]|") for one in drawn)


def test_more_wordings_come_beside_the_first_ones_and_at_times_with_an_opening() -> None:
    """The last stage hears the first wordings still, the new ones, and both with a few words before them."""
    for type_ in TYPES:
        rng = np.random.default_rng(0)
        drawn = [draw_wording(rng, type_, more=True) for _ in range(600)]
        opened = [text for text in drawn if text.startswith(OPENINGS)]
        assert 40 < len(opened) < 160
        plain = {text for text in drawn if text not in opened}
        first = {draw_wording(rng, type_) for _ in range(1500)}
        assert plain & first
        assert plain - first
