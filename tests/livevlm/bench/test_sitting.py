"""A stream goes through the engine with one memory, and the answers are marked."""

from __future__ import annotations

import numpy as np
import pytest

from livevlm.bench.encodings import EncodedOnce
from livevlm.bench.longstream import Asked, LongStream
from livevlm.bench.sitting import Mark, normal, sit
from livevlm.config import Config
from livevlm.toy import ToyBackbone
from livevlm.training.questions import Exchange, Footage
from livevlm.training.views import View

TABLE = {"version": 1, "model": {"name": "toy"}, "memory": {"budget_tokens": 32, "archive": False}}


def stream() -> LongStream:
    """Forty frames of two pictures, asked about twice."""
    pictures = list(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))
    shown = [number % 2 for number in range(40)]
    asked = [Asked(at, 1.0, Exchange("past_did", f"was it {at}?", "yes")) for at in (5, 38)]
    return LongStream(0.5, pictures, shown, Footage([View(())] * 40, shown), asked)


def test_all_frames_are_shown_and_all_questions_answered_in_their_order() -> None:
    """The memory ends with what it may hold of all forty frames; marks come with the questions they are of, and their times."""
    made = stream()
    sat = sit(ToyBackbone(), Config.model_validate(TABLE), made)
    assert [mark.asked for mark in sat.marks] == made.asked
    assert all(mark.ttft_s > 0 for mark in sat.marks)
    assert (sat.stats.tokens.long, sat.stats.tokens.short) == (32, 8 * 16)
    assert sat.stats.evicted_tokens == 40 * 16 - 32 - 8 * 16
    assert sat.stats.to_s == 39 / 0.5
    assert sat.stats.device_bytes > 0
    assert sat.stats.tokens.archive == 0


def test_encoding_once_changes_no_answer() -> None:
    """What is said is the same whether the tower sees a picture once or whenever it is shown."""
    made, config = stream(), Config.model_validate(TABLE)
    plain, once = (sit(one, config, made) for one in (ToyBackbone(), EncodedOnce(ToyBackbone())))
    assert [mark.said for mark in plain.marks] == [mark.said for mark in once.marks]


def test_an_archive_is_the_configurations_to_have() -> None:
    """With the setting, what the device drops is held beside it, and is counted."""
    table = TABLE | {"memory": {"budget_tokens": 32, "archive": True}}
    stats = sit(ToyBackbone(), Config.model_validate(table), stream()).stats
    assert stats.tokens.archive > 32
    assert stats.host_bytes > 0


@pytest.mark.parametrize(("said", "right"), [
    ("Yes", True), (" yes.\n", True), ("yes yes", False), ("no", False), ("", False), ("yess", False),
])  # fmt: skip
def test_an_answer_must_be_the_right_words_and_no_others(said: str, right: bool) -> None:
    """But for case, spaces around it and a full stop."""
    assert Mark(stream().asked[0], said, 0.1).right == right
    assert normal(" A  red\nStar. ") == "a red star"
