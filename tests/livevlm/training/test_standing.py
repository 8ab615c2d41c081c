"""What a frame's tokens are asked to know of their place in the stream."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from livevlm.training.layout import Batch, Collator
from livevlm.training.reels import Reels, draw_reels
from livevlm.training.standing import (
    FARTHEST,
    HUES,
    NAMES,
    NOBODY,
    SLOTS,
    STAMP,
    StandingLoss,
    Standings,
    standings,
)
from streams.scene import KINDS
from tests.livevlm.training.making import TOKENS, shots, tokenizer

FRAMES, HIDDEN = 8, 6


def reels(*, stamped: bool, count: int = 2) -> Reels:
    """Some streams."""
    rng = np.random.default_rng(5)
    return draw_reels(rng, shots(), count=count, frames=FRAMES, questions=2, stamped=stamped)


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


def test_depth_is_how_many_frames_came_before() -> None:
    """One of as many numbers as the longest stream has frames, so that neighbours are told apart far into a stream too."""
    wanted = standings(reels(stamped=False))
    assert wanted.depth.tolist() == list(range(FRAMES))
    assert StandingLoss(HIDDEN, 8).depth.out_features == FARTHEST


def test_the_things_of_a_frame_are_told_one_by_one() -> None:
    """Which colour is whose: in reading order, an end where there is no second thing; not of a crowd, nor of what is half in
    view; and behind a cut, and nowhere else, those of the frame before.
    """
    drawn = reels(stamped=False, count=12)
    wanted = standings(drawn)
    seen = set()
    for row, footage in enumerate(drawn.footage):
        for frame, view in enumerate(footage.views):
            told = wanted.own[row, frame].tolist()
            if view.vague or len(view.things) > SLOTS:
                assert told == [NOBODY] * 2 * SLOTS
            else:
                said = [(*KINDS, None)[told[2 * n]] for n in range(SLOTS)]
                hues = [(*HUES, None)[told[2 * n + 1]] for n in range(SLOTS)]
                pairs = [(thing.kind, thing.colour) for thing in view.things]
                assert (
                    list(zip(said, hues, strict=True)) == [*pairs, *[(None, None)] * SLOTS][:SLOTS]
                )
            seen.add((len(view.things), told[0] == NOBODY))
            cut = bool(wanted.cut[row, frame])
            before = wanted.own[row, frame - 1].tolist() if cut else [NOBODY] * 2 * SLOTS
            assert wanted.prior[row, frame].tolist() == before
    assert {(1, False), (2, False)} <= seen
    assert any(nobody for _, nobody in seen)


def slots(said: Tensor, wanted: list[int]) -> list[tuple[float, bool]]:
    """Loss and rightness of every number that a state tells, by hand."""
    parts, found = [len(KINDS) + 1, len(HUES) + 1] * SLOTS, []
    for part, place in zip(said.split(parts), wanted, strict=True):
        found.append((missed(part, place), int(part.argmax()) == place))
    return found


def missed(said: Tensor, place: int) -> float:
    """A cross-entropy by hand."""
    return -float(said.log_softmax(-1)[place])


@pytest.mark.parametrize("stamped", [False, True])
def test_the_loss_is_that_of_a_naive_loop(stamped: bool) -> None:
    """Names behind cuts, depth of all frames, and the tokens of the times where there are any, from each token's state; the
    things of a frame one by one, from its last token's, and behind a cut those before it, from each token's.
    """
    drawn = reels(stamped=stamped)
    loss, wanted, batch, states = told(drawn, vocabulary=len(tokenizer()))
    with torch.no_grad():
        found, figures = loss(states, wanted, batch)
    loss.requires_grad_(False)
    depths, names, stamps, right, known = list[float](), [], list[float](), 0, 0
    own, prior = list[tuple[float, bool]](), list[tuple[float, bool]]()
    for row in range(2):
        for frame in range(FRAMES):
            places = (batch.frame_of == frame) & batch.pixels
            ids = batch.ids[row, (batch.frame_of == frame) & ~batch.pixels]
            for token in loss.norm(states[row, places].detach()):
                depths.append(missed(loss.depth(token), frame))
                parts = loss.stamp(token).chunk(STAMP)
                stamps += [missed(part, int(one)) for part, one in zip(parts, ids, strict=False)]
                if wanted.prior[row, frame, 0] != NOBODY:
                    prior += slots(loss.prior.told(token), wanted.prior[row, frame].tolist())
                if wanted.cut[row, frame]:
                    said = loss.before(token)
                    sure = said.sigmoid().where(wanted.before[row, frame] > 0, 1 - said.sigmoid())
                    names.append(-float(sure.log().sum()))
                    known += int(wanted.before[row, frame].sum())
                    right += int(((said > 0) & (wanted.before[row, frame] > 0)).sum())
            if wanted.own[row, frame, 0] != NOBODY:
                last = loss.norm(states[row, places].detach()[-1])
                own += slots(loss.own.told(last), wanted.own[row, frame].tolist())
    assert own
    assert prior
    expected = np.mean(depths) + np.mean(names) + (STAMP * np.mean(stamps) if stamped else 0)
    expected += 4 * np.mean([one[0] for one in own]) + 4 * np.mean([one[0] for one in prior])
    assert bool(stamps) == stamped
    assert found.item() == pytest.approx(expected, rel=1e-4)
    assert figures["before"] == pytest.approx(right / known)
    assert figures["own"] == pytest.approx(np.mean([one[1] for one in own]))
    assert figures["prior"] == pytest.approx(np.mean([one[1] for one in prior]))
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
    none = torch.full_like(wanted.own, NOBODY)
    uncut = Standings(wanted.before, torch.zeros_like(wanted.cut), wanted.depth, none, none)
    found, figures = loss(states, uncut, batch)
    assert set(figures) == {"depth", "standing"}
    assert math.isfinite(found.item())
