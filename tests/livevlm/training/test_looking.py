"""What a head is taught to look at, and that it is the head's own attention that is asked about."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from livevlm.training.language import embed
from livevlm.training.layout import (
    IGNORED,
    Batch,
    Collator,
    attention_mask,
    draw_shown,
    position_ids,
)
from livevlm.training.looking import HEADS, LAYER, clues, looking_loss
from livevlm.training.questions import Exchange
from livevlm.training.recall import listening
from livevlm.training.reels import Reels, draw_reels
from tests.livevlm.training.making import TOKENS, shots, tiny_model, tokenizer

FRAMES = 12
FORBIDDEN = -1e9


def reels(*, only: tuple[str, ...], seed: int = 3) -> Reels:
    """Some streams with questions of these types."""
    rng = np.random.default_rng(seed)
    return draw_reels(
        rng, shots(), count=4, frames=FRAMES, questions=5, stamped=True, only=only, more=True
    )


def batch_of(drawn: Reels, *, hidden: bool) -> Batch:
    """As a step lays it out; hidden: with frames and tokens that exchanges do not see."""
    collator = Collator(tokenizer())
    tokens = TOKENS + collator.stamp_tokens(drawn)
    shown = None
    for seed in range(40):
        shown = draw_shown(np.random.default_rng(seed), drawn, tokens) if hidden else None
        if shown is not None or not hidden:
            break
    return collator.collate(drawn, TOKENS, shown)


def attention(drawn: Reels, batch: Batch) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Queries and keys of every layer, and the weights (heads, B, S, S) that the taught heads really gave, by the library."""
    model = tiny_model()
    model.set_attn_implementation("eager")
    mask = torch.zeros(attention_mask(batch).shape).masked_fill(~attention_mask(batch), FORBIDDEN)
    text = model.model.language_model
    with torch.no_grad(), listening(text, "q_proj") as q, listening(text, "k_proj") as k:
        out = text(
            inputs_embeds=embed(model, shots().tokens, drawn, batch),
            attention_mask=mask,
            position_ids=position_ids(batch),
            use_cache=False,
            output_attentions=True,
        )
    return q, k, out.attentions[LAYER][:, HEADS].transpose(0, 1)


@pytest.mark.parametrize("hidden", [False, True])
def test_the_loss_is_of_the_attention_that_the_heads_give_to_the_clues(hidden: bool) -> None:
    """Where an answer is being said, and nowhere else; what the exchange does not see counts for nothing."""
    drawn = reels(only=("past_next", "past_first", "past_when", "now_is"))
    batch = batch_of(drawn, hidden=hidden)
    queries, keys, weights = attention(drawn, batch)
    found = looking_loss(tiny_model(), queries, keys, clues(drawn), batch)
    logs, shares = [], []
    for row, asked in enumerate(drawn.exchanges):
        for place in range(batch.ids.shape[1]):
            if batch.labels[row, place] == IGNORED:
                continue
            exchange = asked[int(batch.groups[row, place]) - 1]
            for head in weights:
                share = sum(
                    float(head[row, place, key])
                    for key in range(batch.ids.shape[1])
                    if int(batch.frame_of[key]) in exchange.clue
                    and batch.frame_of[key] != batch.frame_of[key + 1]
                    and batch.seen[row, key]
                )
                if share > 0:
                    shares.append(share)
                    logs.append(-np.log(share))
    assert found is not None
    assert len(shares) > 10
    assert float(found[0]) == pytest.approx(np.mean(logs), rel=1e-4)
    assert found[1] == pytest.approx(np.mean(shares), rel=1e-4)


def test_without_a_clue_nothing_is_asked() -> None:
    """What is in view needs no teaching of where to look."""
    drawn = reels(only=("now_is", "past_did"))
    batch = batch_of(drawn, hidden=False)
    queries, keys, _ = attention(drawn, batch)
    assert looking_loss(tiny_model(), queries, keys, clues(drawn), batch) is None


def exchanges(drawn: Reels, kind: str) -> list[tuple[int, Exchange]]:
    """Those of a type, each with the row of its stream."""
    return [
        (row, one) for row, asked in enumerate(drawn.exchanges) for one in asked if one.type == kind
    ]


def test_what_came_next_is_looked_up_behind_the_cut() -> None:
    """In the first frame of a shot, for only that one knows what was before it; it holds the answer's thing when asked for what
    came after, and the question's when asked for what came before.
    """
    drawn = reels(only=("past_next",), seed=4)
    words = {"after": 0, "before": 0}
    for row, one in exchanges(drawn, "past_next"):
        (clue,) = one.clue
        footage = drawn.footage[row]
        assert footage.shots[clue] != footage.shots[clue - 1]
        word = "after" if "after" in one.question.lower() else "before"
        words[word] += 1
        names = [f"{thing.pair[1]} {thing.pair[0]}" for thing in footage.views[clue].things]
        said = one.answer if word == "after" else one.question
        assert any(name in said for name in names), (one, names)
    assert min(words.values()) > 0


def test_which_came_first_is_looked_up_in_the_frames_of_the_answer() -> None:
    """In none of the other thing's alone."""
    drawn = reels(only=("past_first",), seed=5)
    asked = exchanges(drawn, "past_first")
    assert asked
    for row, one in asked:
        for frame in one.clue:
            things = drawn.footage[row].views[frame].things
            assert one.answer.removeprefix("the ") in {f"{t.pair[1]} {t.pair[0]}" for t in things}


def test_when_is_looked_up_in_the_first_frame_of_the_thing() -> None:
    """The time before that frame is the answer."""
    drawn = reels(only=("past_when",), seed=6)
    timed = [(row, one) for row, one in exchanges(drawn, "past_when") if one.clue]
    assert timed
    for row, one in timed:
        stamps = drawn.footage[row].stamps
        assert stamps is not None
        assert one.answer == f"at {stamps[one.clue[0]]}"
