"""Training: what it lays out, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from livevlm.hf import load
from livevlm.models.checkpoint import SHAPES, build_model, save_checkpoint
from livevlm.models.tokenizer import build_tokenizer
from livevlm.training.evaluate import Score
from livevlm.training.language import (
    IGNORED,
    Collator,
    attention_mask,
    build_bank,
    corpus,
    draw_hidden,
    draw_streams,
    position_ids,
    train_language,
)
from livevlm.training.vision import draw_pictures, train_vision

TOKENIZER = build_tokenizer(corpus(), 320)


def test_questions_see_the_video_and_themselves_only() -> None:
    """Whatever another question says, and whatever is hidden, changes nothing for an exchange; its positions close up."""
    rng = np.random.default_rng(0)
    model = build_model(SHAPES["tiny"], TOKENIZER, torch.float32)
    bank, collator = build_bank(model, rng, 20), Collator(TOKENIZER)
    streams = draw_streams(rng, bank, count=3, frames=12, questions=4)
    hidden = torch.zeros(3, 48, dtype=torch.bool)
    hidden[:, ::3] = True
    batch = collator.collate(streams, 4, hidden)
    mask, positions = attention_mask(batch)[:, 0], position_ids(batch)
    start = len(collator.prompt) + 48
    for row in range(3):
        for group in range(1, 5):
            own = (batch.groups[row] == group).nonzero().flatten()
            seen = mask[row, own[-1]].nonzero().flatten().tolist()
            expected = [
                place
                for place in range(start)
                if place < len(collator.prompt) or not hidden[row, place - len(collator.prompt)]
            ]
            assert seen == expected + own.tolist()
            assert positions[row, seen].tolist() == list(range(len(seen)))


def test_labels_are_the_answers() -> None:
    """What is asked for, token by token, is each answer and its end, each predicted from the token before it."""
    rng = np.random.default_rng(1)
    model = build_model(SHAPES["tiny"], TOKENIZER, torch.float32)
    bank, collator = build_bank(model, rng, 20), Collator(TOKENIZER)
    streams = draw_streams(rng, bank, count=2, frames=3, questions=5)
    batch = collator.collate(streams, 4, torch.zeros(2, 12, dtype=torch.bool))
    for row, asked in enumerate(streams.exchanges):
        labels = batch.labels[row][batch.labels[row] != IGNORED].tolist()
        assert TOKENIZER.decode(labels).split("<|im_end|>")[:-1] == [
            exchange.answer for exchange in asked
        ]
        for place in (batch.labels[row] != IGNORED).nonzero().flatten().tolist():
            if batch.labels[row, place] != TOKENIZER.eos_token_id:
                assert batch.ids[row, place + 1] == batch.labels[row, place]


def test_the_newest_frames_are_never_hidden() -> None:
    """Short-term memory is exact: the last four frames are always seen."""
    for seed in range(30):
        assert not draw_hidden(np.random.default_rng(seed), 4, 12, 4)[:, -16:].any()


def test_labels_lie_on_the_sprites() -> None:
    """Most tokens of a picture are empty, every picture has something, and both heads agree where."""
    pictures = draw_pictures(np.random.default_rng(2), 20, side=96, grid=4)
    something = pictures.kinds < 18
    assert something.any(dim=1).all()
    assert something.float().mean() < 0.5
    assert torch.equal(something, pictures.colours < 8)
    assert pictures.pixels.min() >= -1
    assert pictures.pixels.max() <= 1


def test_both_stages_learn_and_the_result_loads(tmp_path: Path) -> None:
    """A few steps on the smallest model bring the loss down, and what is saved is a checkpoint like any other."""
    torch.manual_seed(0)
    model, lines = build_model(SHAPES["tiny"], TOKENIZER, torch.float32).train(), []
    train_vision(model, steps=100, seed=0, batch=8, pool_size=64, log=lines.append)
    train_language(model, TOKENIZER, steps=100, seed=1, scenes=50, log=lines.append)
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    assert losses[1] < losses[0]
    assert losses[3] < losses[2] < 6
    save_checkpoint(model.to(torch.bfloat16), TOKENIZER, tmp_path)
    loaded = load(str(tmp_path), device=torch.device("cpu"), dtype=torch.float32)
    expected = model.lm_head.weight.float()
    assert torch.equal(loaded.logits(torch.eye(64)), expected.T)


def test_wilson_interval() -> None:
    """The textbook value for 8 of 10."""
    low, high = Score(8, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
