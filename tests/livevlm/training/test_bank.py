"""The bank: the same blocks, whenever it is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from livevlm.training.bank import LOOKS, Bank, film_shots
from livevlm.training.vision import frame_tokens
from streams.scene import PAIRS
from tests.livevlm.training.making import TINY, TOKENS, run_in, tiny_model

SCENES, BLOCKS = 3, 3


def bank(folder: Path, seed: int = 5) -> Bank:
    """An empty one."""
    run = run_in(folder)
    return Bank(tiny_model(), run, seed, PAIRS, blocks=BLOCKS, scenes=SCENES)


def test_a_block_is_the_same_whichever_step_the_bank_begins_at(tmp_path: Path) -> None:
    """A run that goes on at block 4 holds to the bit what one that began at 0 holds then, in the same places."""
    through, later = bank(tmp_path), bank(tmp_path)
    for first in range(5):
        through.roll_to(first)
    later.roll_to(4)
    assert torch.equal(through.shots.tokens, later.shots.tokens)
    assert through.shots.views == later.shots.views


def test_rolling_replaces_the_oldest_block_alone(tmp_path: Path) -> None:
    """One step on, one block is new; staying changes nothing; another seed has other scenes."""
    rolling = bank(tmp_path)
    rolling.roll_to(0)
    before, views = rolling.shots.tokens.clone(), list(rolling.shots.views)
    assert before.shape == (BLOCKS * SCENES, LOOKS, TOKENS, TINY.hidden)
    assert len({repr(view) for view in views}) == BLOCKS * SCENES
    rolling.roll_to(0)
    assert torch.equal(rolling.shots.tokens, before)
    rolling.roll_to(1)
    same = (rolling.shots.tokens == before).flatten(1).all(1)
    assert same.tolist() == [False] * SCENES + [True] * SCENES * (BLOCKS - 1)
    assert rolling.shots.views[SCENES:] == views[SCENES:]
    assert rolling.shots.views[0] != views[0]
    other = bank(tmp_path, seed=6)
    other.roll_to(0)
    assert other.shots.views[0] != views[0]


def test_shots_are_frames_of_the_scenes_that_their_views_tell_of(tmp_path: Path) -> None:
    """As many scenes as asked for, only of the pairs allowed; more pictures than the tower takes at once come in order."""
    model, pairs = tiny_model(), [pair for pair in PAIRS if pair[1] in ("red", "blue", "white")]
    found = film_shots(model, run_in(tmp_path), np.random.default_rng(0), 30, pairs)
    assert found.tokens.shape == (30, LOOKS, TOKENS, TINY.hidden)
    assert [len(views) for views in found.views] == [LOOKS] * 30
    shown = {thing.pair for views in found.views for view in views for thing in view.things}
    assert shown <= set(pairs)
    few = film_shots(model, run_in(tmp_path), np.random.default_rng(0), 2, pairs)
    assert torch.allclose(few.tokens.float(), found.tokens[:2].float(), atol=0.02, rtol=0.02)
    assert few.views == found.views[:2]
    assert not few.tokens.requires_grad
    assert frame_tokens(model, torch.zeros(5, 3, 32, 32)).shape == (5, TOKENS, TINY.hidden)
