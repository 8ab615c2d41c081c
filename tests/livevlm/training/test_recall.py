"""Recall's loss asks for what Position-agnostic Retrieval ranks by."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from livevlm.training.layout import Batch, Collator
from livevlm.training.recall import PER_STREAM, Lookups, RecallLoss, draw_lookups, listening
from livevlm.training.reels import draw_reels
from tests.livevlm.training.making import TOKENS, shots, tokenizer

LAYERS, HEADS, GROUPS, DIM = 3, 4, 2, 8
FRAMES, SPAN = 6, 5  # frames, and tokens of each
BEFORE, AFTER = 3, 4  # tokens before and behind the frames


def lookups() -> Lookups:
    """Three questions about two streams; the answer of the second is in two frames."""
    held = torch.zeros(3, FRAMES)
    held[0, 2], held[1, [0, 5]], held[2, 4] = 1.0, 0.5, 1.0
    asked = torch.zeros(3, 7, dtype=torch.bool)
    asked[0, 2:5], asked[1, 2:7], asked[2, 2:4] = True, True, True
    return Lookups(torch.tensor([0, 0, 1]), torch.zeros(3, 7, dtype=torch.long), asked, held)


def batch() -> Batch:
    """Two rows of which only the frames' places matter."""
    width = BEFORE + FRAMES * SPAN + AFTER
    frame_of = torch.full((width,), -1)
    frame_of[BEFORE : BEFORE + FRAMES * SPAN] = torch.arange(FRAMES).repeat_interleave(SPAN)
    blank = torch.zeros(2, width, dtype=torch.long)
    return Batch(blank, blank, blank, blank.bool(), frame_of >= 0, frame_of)


def projections(seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Queries (3, 7, heads * D) and keys (2, places, groups * D) of every layer."""
    torch.manual_seed(seed)
    queries = [torch.randn(3, 7, HEADS * DIM) for _ in range(LAYERS)]
    keys = [torch.randn(2, len(batch().frame_of), GROUPS * DIM) for _ in range(LAYERS)]
    return queries, keys


def naive(queries: list[Tensor], keys: list[Tensor], scales: list[float]) -> tuple[float, float]:
    """The loss and the share of hits, one number at a time."""
    ask, places = lookups(), batch().frame_of.tolist()
    losses, hits = [], []
    for query, key, scale in zip(queries, keys, scales, strict=True):
        for number in range(3):
            tokens = [place for place in range(7) if ask.asked[number, place]]
            products = []
            for frame in range(FRAMES):
                own = [place for place, one in enumerate(places) if one == frame]
                product = 0.0
                for group in range(GROUPS):
                    page = key[ask.streams[number], own].mean(0)[group * DIM : (group + 1) * DIM]
                    for head in range(group * HEADS // GROUPS, (group + 1) * HEADS // GROUPS):
                        mean = query[number, tokens].mean(0)[head * DIM : (head + 1) * DIM]
                        product += float(mean @ page) / (HEADS // GROUPS)
                products.append(product * scale)
            total = math.log(sum(math.exp(one) for one in products))
            shares = ask.held[number].tolist()
            losses.append(
                -sum(share * (one - total) for share, one in zip(shares, products, strict=True))
            )
            hits.append(shares[products.index(max(products))] > 0)
    return sum(losses) / len(losses), sum(hits) / len(hits)


def test_the_loss_is_that_of_a_naive_loop() -> None:
    """Mean query of the asked tokens over the heads that share keys, mean key of a frame's tokens, softmax over the frames."""
    queries, keys = projections()
    loss = RecallLoss(LAYERS, GROUPS, DIM)
    found, hits = loss(queries, keys, lookups(), batch())
    expected = naive(queries, keys, [1 / math.sqrt(DIM)] * LAYERS)
    assert (found.item(), hits) == pytest.approx(expected, rel=1e-5)
    with torch.no_grad():
        loss.scale.copy_(torch.tensor([0.0, 0.5, -1.0]))
    found, _ = loss(queries, keys, lookups(), batch())
    assert found.item() == pytest.approx(
        naive(queries, keys, [1.0, math.exp(0.5), math.exp(-1.0)])[0], rel=1e-5
    )


def test_the_loss_is_low_where_a_question_meets_the_right_frames() -> None:
    """Queries that point to the keys of the frames that hold the answer cost next to nothing; those that point to others
    cost a lot.
    """
    ask, loss = lookups(), RecallLoss(1, GROUPS, DIM)
    keys = torch.zeros(2, len(batch().frame_of), GROUPS * DIM)
    for place, frame in enumerate(batch().frame_of.tolist()):
        if frame >= 0:
            keys[:, place, frame] = 10.0

    def cost(held: Tensor) -> tuple[float, float]:
        grouped = torch.zeros(3, 7, GROUPS, HEADS // GROUPS, DIM)
        grouped[:, :, 0, :, :FRAMES] = held[:, None, None, :] * 10
        found, hits = loss([grouped.flatten(2)], [keys], ask, batch())
        return found.item(), hits

    right, hits = cost(ask.held)
    assert right == pytest.approx(math.log(2) / 3, abs=0.01)  # two frames share one answer
    assert hits == 1.0
    wrong, hits = cost(ask.held.roll(1, dims=1))
    assert wrong > 10
    assert hits < 0.4


def test_the_loss_teaches_queries_keys_and_scale() -> None:
    """Its gradient reaches all three, and going down it makes the loss smaller."""
    queries, keys = projections()
    loss = RecallLoss(LAYERS, GROUPS, DIM)
    learnt = [*(one.requires_grad_() for one in (*queries, *keys)), loss.scale]
    descent = torch.optim.SGD(learnt, lr=2.0)
    first, _ = loss(queries, keys, lookups(), batch())
    first.backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in learnt)
    descent.step()
    assert loss(queries, keys, lookups(), batch())[0] < first


class Layers(nn.Module):
    """Two layers with projections."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleDict({"q_proj": nn.Linear(2, 3), "k_proj": nn.Linear(2, 3)})
        self.second = nn.ModuleDict({"q_proj": nn.Linear(3, 3), "k_proj": nn.Linear(2, 3)})

    def forward(self, x: Tensor) -> Tensor:
        """Through both."""
        self.first["k_proj"](x)
        out: Tensor = self.second["q_proj"](self.first["q_proj"](x))
        return out


def test_listening_hears_the_named_projections_in_order_and_then_no_more() -> None:
    """What they gave, layer after layer; behind it, and behind an error too, no hook stays."""
    model, x = Layers(), torch.ones(1, 2)
    with listening(model, "q_proj") as heard:
        out = model(x)
    assert torch.equal(heard[0], model.first["q_proj"](x))
    assert torch.equal(heard[1], out)
    model(x)
    assert len(heard) == 2
    with pytest.raises(RuntimeError), listening(model, "proj") as heard:
        model(torch.ones(1, 9))
    assert not any(module._forward_hooks for module in model.modules())


def test_lookups_are_about_the_past_and_name_some_of_the_frames() -> None:
    """Only questions whose answer some frames hold and others do not; at most so many of a stream; their text is the prompt
    and the question.
    """
    collator, drawn_once = Collator(tokenizer()), 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        drawn = draw_reels(rng, shots(), count=4, frames=9, questions=10, stamped=False)
        found = draw_lookups(rng, collator, drawn)
        if found is None:
            continue
        assert torch.bincount(found.streams).max() <= PER_STREAM
        assert found.held.sum(1).tolist() == pytest.approx([1.0] * len(found.held))
        for row, stream in enumerate(found.streams.tolist()):
            question = tokenizer().decode(found.ids[row, found.asked[row]])
            text = tokenizer().decode(found.ids[row, : len(collator.prompt)])
            assert text == collator.layout.before_video
            holding = {
                one.frames
                for one in drawn.exchanges[stream]
                if one.question == question and one.type.startswith("past")
            }
            named = tuple(found.held[row].nonzero().flatten().tolist())
            assert named in {tuple(sorted(frames)) for frames in holding}
            assert 0 < len(named) < 9
            drawn_once += 1
    assert drawn_once > 40


def test_there_are_no_lookups_where_nothing_is_past() -> None:
    """Streams with questions about now alone give none."""
    rng = np.random.default_rng(0)
    drawn = draw_reels(
        rng, shots(), count=2, frames=9, questions=4, stamped=False, only=("now_is",)
    )
    assert draw_lookups(rng, Collator(tokenizer()), drawn) is None
    assert shots().tokens.shape[2] == TOKENS
