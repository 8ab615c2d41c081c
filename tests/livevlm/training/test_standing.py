"""What a frame's tokens are asked to know of their place in the stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from livevlm.training.layout import Batch, Collator
from livevlm.training.reels import Reels, draw_reels
from livevlm.training.standing import FARTHEST, NAMES, StandingLoss, Standings, standings
from tests.livevlm.training.making import TOKENS, shots, tokenizer

FRAMES, HIDDEN = 8, 6


def reels(*, stamped: bool) -> Reels:
    """Two streams."""
    rng = np.random.default_rng(5)
    return draw_reels(rng, shots(), count=2, frames=FRAMES, questions=2, stamped=stamped)


def told(drawn: Reels, *, vocabulary: int) -> tuple[StandingLoss, Standings, Batch, Tensor]:
    """The loss with random heads, what is wanted of those streams, their batch, and random states for it."""
    torch.manual_seed(1)
    batch = Collator(tokenizer()).collate(drawn, TOKENS)
    states = torch.randn(2, batch.ids.shape[1], HIDDEN, requires_grad=True)
    return StandingLoss(HIDDEN, vocabulary), standings(drawn), batch, states


def test_the_first_frame_of_a_shot_is_asked_for_what_was_shown_right_before() -> None:
    """Of every frame behind a cut, and of no other, the kinds and colours of the frame before; not of what was half in view."""
    drawn = reels(stamped=False)
    wanted = standings(drawn)
    asked = 0
    for row, footage in enumerate(drawn.footage):
        for frame in range(FRAMES):
            behind = frame > 0 and footage.shots[frame] != footage.shots[frame - 1]
            clear = frame > 0 and not footage.views[frame - 1].vague
            assert bool(wanted.cut[row, frame]) == (behind and clear)
            if wanted.cut[row, frame]:
                pairs = [thing.pair for thing in footage.views[frame - 1].things]
                names = {name for pair in pairs for name in pair}
                places = wanted.before[row, frame].nonzero().flatten()
                assert {NAMES[place] for place in places} == names
                asked += 1
    assert asked > 0


def test_depth_runs_from_the_first_frame_to_the_last_of_the_longest_stream() -> None:
    """Neighbours far into a stream differ less than early ones, as which came first is easy to mistake there too."""
    depth = standings(reels(stamped=False)).depth
    assert depth[0] == 0
    expected = [math.log(1 + frame) / math.log(FARTHEST) for frame in range(FRAMES)]
    assert depth.tolist() == pytest.approx(expected)
    assert depth[FRAMES - 1] < 1


@pytest.mark.parametrize("stamped", [False, True])
def test_the_loss_is_that_of_a_naive_loop(stamped: bool) -> None:
    """Names behind cuts, depth of all frames, and the tokens of the times where there are any, from each token's state."""
    drawn = reels(stamped=stamped)
    loss, wanted, batch, states = told(drawn, vocabulary=len(tokenizer()))
    with torch.no_grad():
        found, figures = loss(states, wanted, batch)
    loss.requires_grad_(False)
    depths, names, stamps, right, known = [], [], [], 0, 0
    for row in range(2):
        for frame in range(FRAMES):
            places = (batch.frame_of == frame) & batch.pixels
            ids = batch.ids[row, (batch.frame_of == frame) & ~batch.pixels]
            for token in states[row, places].detach():
                off = abs(float(loss.depth(token) - wanted.depth[frame]))
                depths.append(off**2 / 2 if off < 1 else off - 0.5)
                stamps += [-float(loss.stamp(token).log_softmax(-1)[one]) for one in ids]
                if wanted.cut[row, frame]:
                    said = loss.before(token)
                    sure = said.sigmoid().where(wanted.before[row, frame] > 0, 1 - said.sigmoid())
                    names.append(-float(sure.log().sum()))
                    known += int(wanted.before[row, frame].sum())
                    right += int(((said > 0) & (wanted.before[row, frame] > 0)).sum())
    expected = 10 * np.mean(depths) + np.mean(names) + (np.mean(stamps) if stamped else 0)
    assert bool(stamps) == stamped
    assert found.item() == pytest.approx(expected, rel=1e-4)
    assert figures["before"] == pytest.approx(right / known)
    assert figures["standing"] == found.item()


def test_only_the_frames_own_tokens_are_asked() -> None:
    """The loss moves the states of pixels alone: not the prompt's, the questions' or those of the times' own texts."""
    drawn = reels(stamped=True)
    loss, wanted, batch, states = told(drawn, vocabulary=len(tokenizer()))
    loss(states, wanted, batch)[0].backward()
    assert states.grad is not None
    moved = states.grad.abs().sum(-1) > 0
    assert torch.equal(moved, batch.pixels.expand_as(moved))


def test_streams_of_one_shot_are_not_asked_for_names() -> None:
    """Where nothing is cut there is no figure, rather than one that is no number."""
    drawn = reels(stamped=False)
    loss, wanted, batch, states = told(drawn, vocabulary=8)
    uncut = Standings(wanted.before, torch.zeros_like(wanted.cut), wanted.depth)
    found, figures = loss(states, uncut, batch)
    assert set(figures) == {"standing"}
    assert math.isfinite(found.item())
