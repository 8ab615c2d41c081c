"""Learning to answer: what the model computes in a batch is what it computes by itself, and the loss goes down."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from livevlm.training.bank import Bank
from livevlm.training.language import (
    Course,
    answer_logits,
    draw_lesson,
    embed,
    reading_parameters,
    train_language,
)
from livevlm.training.layout import IGNORED, Collator
from livevlm.training.pairing import SEEN
from livevlm.training.reels import Reels, draw_reels
from streams.scene import PAIRS
from tests.livevlm.training.making import (
    TOKENS,
    run_in,
    shots,
    tiny_model,
    tokenizer,
)

FRAMES = 6


def reels(*, stamped: bool) -> Reels:
    """Two streams with three questions each."""
    rng = np.random.default_rng(2)
    return draw_reels(rng, shots(), count=2, frames=FRAMES, questions=3, stamped=stamped)


def frame_of(drawn: Reels, row: int, frame: int) -> Tensor:
    """The tokens of a frame, (N, hidden)."""
    return shots().tokens[int(drawn.scenes[row, frame]), int(drawn.looks[row, frame])]


@pytest.mark.parametrize("stamped", [False, True])
@torch.no_grad()
def test_answers_in_a_batch_are_those_of_the_model_by_itself(stamped: bool) -> None:
    """For every exchange: the prompt, the frames with their times, the question and the answer, put together by hand and read
    by the model's own causal forward pass, give the same logits at the answer's tokens.
    """
    model, collator, drawn = tiny_model(), Collator(tokenizer()), reels(stamped=stamped)
    logits, labels = answer_logits(model, shots().tokens, drawn, collator.collate(drawn, TOKENS))
    words = model.model.language_model.embed_tokens
    expected = []
    for row, exchanges in enumerate(drawn.exchanges):
        stamps = drawn.footage[row].stamps or [""] * FRAMES
        for exchange in exchanges:
            parts = [words(torch.tensor(collator.ids_of(collator.layout.before_video)))]
            for frame, stamp in enumerate(stamps):
                ids = torch.tensor(collator.ids_of(stamp), dtype=torch.long)
                parts += [words(ids), frame_of(drawn, row, frame)]
            asked = collator.ids_of(collator.layout.ask(exchange.question))
            answer = collator.ids_of(exchange.answer)
            parts.append(words(torch.tensor([*asked, *answer])))
            whole = torch.cat(parts)
            states = model.model.language_model(inputs_embeds=whole[None], use_cache=False)
            expected.append(model.lm_head(states.last_hidden_state[0, -len(answer) - 1 :]))
    together = torch.cat(expected)
    assert together.std() > 0.01
    assert torch.allclose(logits, together, atol=1e-4)
    ends = (labels == tokenizer().eos_token_id).sum()
    assert ends == 2 * 3


@torch.no_grad()
def test_frames_take_their_places_and_text_stays() -> None:
    """The tokens of each frame stand behind its time, in order; all other places are the embedded text."""
    model, collator, drawn = tiny_model(), Collator(tokenizer()), reels(stamped=True)
    batch = collator.collate(drawn, TOKENS)
    found = embed(model, shots().tokens, drawn, batch)
    for row in range(2):
        for frame in range(FRAMES):
            places = (batch.frame_of == frame) & batch.pixels
            assert torch.equal(found[row, places], frame_of(drawn, row, frame))
    text = model.model.language_model.embed_tokens(batch.ids)
    assert torch.equal(found[:, ~batch.pixels], text[:, ~batch.pixels])


def bank(folder: Path) -> Bank:
    """A small bank of the tiny model."""
    made = Bank(tiny_model(), run_in(folder), 0, PAIRS, blocks=1, scenes=20)
    made.roll_to(0)
    return made


def test_a_lesson_fits_its_batch(tmp_path: Path) -> None:
    """Streams of the length wanted, fewer of them the longer they are, some with times; lookups where streams are long
    enough to look something up; and the same again for the same numbers.
    """
    shown, collator = bank(tmp_path), Collator(tokenizer())
    counts = {}
    for frames in (1, 16, 64):
        lessons = [
            draw_lesson(
                np.random.default_rng(seed), shown, collator, Course(0.0, (frames,)), pairs=SEEN
            )
            for seed in range(4)
        ]
        assert {lesson.reels.scenes.shape[1] for lesson in lessons} == {frames}
        assert all((lesson.lookups is not None) == (frames > 3) for lesson in lessons)
        assert all(lesson.batch.labels.max() > IGNORED for lesson in lessons)
        stamped = {lesson.reels.footage[0].stamps is not None for lesson in lessons}
        assert stamped == {False, True}
        counts[frames] = len(lessons[0].reels.footage)
        again = draw_lesson(
            np.random.default_rng(0), shown, collator, Course(0.0, (frames,)), pairs=SEEN
        )
        assert torch.equal(again.batch.ids, lessons[0].batch.ids)
    assert counts[1] >= counts[16] >= counts[64] >= 4


def test_training_lowers_the_loss_of_the_text_model_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some small steps bring it down, answers and recall both; tower and projector are as they were."""
    monkeypatch.setattr("livevlm.training.run.LOG_EVERY", 15)
    monkeypatch.setattr("livevlm.training.language.TOKENS", 700)
    model = tiny_model().train()
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    train_language(
        model,
        tokenizer(),
        run_in(tmp_path),
        steps=45,
        horizon=45,
        seed=1,
        pairs=PAIRS,
        blocks=1,
        scenes=15,
        peak=5e-3,
        curriculum=(Course(0.0, (2, 4)),),
    )
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines]
    assert losses[2] < losses[1] < losses[0]
    assert losses[2] < 0.7 * losses[0]
    assert all(0 <= line["tokens"] <= 1 and 0 <= line["found"] <= 1 for line in lines)
    assert all(line["recall"] > 0 for line in lines)
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    reading = {f"model.{name}" for name, _ in reading_parameters(model)}
    assert moved <= reading
    assert len(moved) > 0.9 * len(reading)
