"""Evaluation counts rightly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm.training.evaluate import (
    LONGER,
    Marked,
    Score,
    as_json,
    examine,
    mark,
    scores,
    table,
)
from livevlm.training.layout import IGNORED, Batch, Collator
from livevlm.training.questions import Exchange
from livevlm.training.reels import Reels
from livevlm.training.wordings import TYPES, UNSAID
from streams.scene import PAIRS
from tests.livevlm.training.making import TINY, run_in, shots, tiny_model, tokenizer


def marked(type_: str, frames: int, right: bool, answer: str = "red") -> Marked:
    """An exchange with its mark."""
    return Marked(Exchange(type_, "?", answer), frames, right)


@pytest.mark.parametrize(
    ("right", "asked", "low", "high"),
    [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (50, 100, 0.404, 0.596)],
)
def test_wilsons_interval(right: int, asked: int, low: float, high: float) -> None:
    """The textbook's values."""
    assert Score(right, asked).interval == pytest.approx((low, high), abs=5e-4)
    assert Score(right, asked).share == right / asked


def test_scores_add_up_by_group() -> None:
    """Of every group how many, and how many of them right."""
    all_ = [marked("now_is", 4, right) for right in (True, False, True)]
    all_ += [marked("now_at", 4, False)]
    assert Score(1, 2) + Score(3, 5) == Score(4, 7)
    found = scores(all_, lambda one: one.exchange.type)
    assert found == {"now_is": Score(2, 3), "now_at": Score(0, 1)}
    assert (str(Score(2, 3)), str(Score())) == ("66.7%", "")
    assert json.loads(as_json({"seen": all_})) == {"seen": {"now_is": [2, 3], "now_at": [0, 1]}}


def test_the_table_has_a_row_for_every_type() -> None:
    """By length, all with its interval, the unseen pairs; and how often it is said that something is not there."""
    seen = [marked(type_, frames, frames < 16) for type_ in TYPES for frames in (1, 16)]
    seen.append(marked("now_colour", 16, True, "not in view"))
    unseen = [marked("now_colour", 4, False), marked("past_sign", 4, True, "not seen")]
    head, rule, *rows = (
        line.strip("| ").split(" | ") for line in table(seen, unseen, (1, 16)).splitlines()
    )
    assert head == [
        "question",
        "1 frames",
        "16 frames",
        "all, 95 % interval",
        "unseen pairs, 95 % interval",
    ]
    assert rule[0].count("---") == len(head)
    assert [row[0] for row in rows] == [*TYPES, "refusals"]
    first = "now_colour | 100.0% | 50.0% | 66.7% (20.8% to 93.9%) | 0.0% (0.0% to 79.3%)"
    assert rows[0] == first.split(" | ")
    assert rows[-1][-2:] == ["100.0% (20.7% to 100.0%)"] * 2


def test_an_answer_is_right_when_all_its_tokens_and_its_end_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One token of it less likely than another, the first or the end, and it is wrong; and no other answer is."""
    wrong = {(0, 2, 0), (1, 1, -1), (4, 3, 0)}  # row, group, which of the answer's tokens

    def answered(
        _model: LlavaOnevisionForConditionalGeneration, _tokens: Tensor, _reels: Reels, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        said = batch.labels.clone()
        for row, group, token in wrong:
            own = ((batch.groups[row] == group) & (batch.labels[row] != IGNORED)).nonzero()
            said[row, own[token]] += 1
        wanted = batch.labels != IGNORED
        return one_hot(said[wanted], TINY.vocab + 1).float(), batch.labels[wanted]

    monkeypatch.setattr("livevlm.training.evaluate.answer_logits", answered)
    rng, collator = np.random.default_rng(0), Collator(tokenizer())
    found = list(
        mark(
            tiny_model(),
            run_in(tmp_path),
            shots(),
            collator,
            rng,
            type_="past_did",
            frames=8,
            streams=5,
        )
    )
    assert len(found) == 5 * 4
    assert [place for place, one in enumerate(found) if not one.right] == [1, 4, 18]
    assert {(one.exchange.type, one.frames) for one in found} == {("past_did", 8)}
    begins = tuple(text.split("{")[0][:8] for text in UNSAID["past_did"])
    assert all(one.exchange.question.lower().startswith(begins) for one in found)


def test_all_types_are_examined_at_the_lengths_that_fit(tmp_path: Path) -> None:
    """At least so many questions of each; those that need several frames are not asked of one; times before frames where they
    are asked for.
    """
    torch.manual_seed(0)
    found = examine(
        tiny_model(),
        tokenizer(),
        run_in(tmp_path),
        seed=0,
        pairs=PAIRS,
        lengths=(1, 4),
        questions=1,
        scenes=40,
    )
    asked = {(one.exchange.type, one.frames) for one in found}
    wanted = {(type_, frames) for type_ in TYPES for frames in (1, 4)}
    assert asked == {(type_, frames) for type_, frames in wanted if frames >= LONGER.get(type_, 1)}
    times = [one.exchange.answer for one in found if one.exchange.type == "past_when"]
    assert any(answer.startswith("at ") for answer in times)
    assert "I do not know" not in times
    assert sum(one.right for one in found) < len(found) / 3
