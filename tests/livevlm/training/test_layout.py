"""Layout: what an exchange sees, at which positions, and what is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from livevlm.training.layout import (
    EXACT,
    IGNORED,
    Batch,
    Collator,
    attention_mask,
    draw_shown,
    position_ids,
)
from livevlm.training.questions import Exchange
from livevlm.training.reels import Reels, draw_reels
from tests.livevlm.training.making import TOKENS, shots, tokenizer

FRAMES, ASKED, ROWS = 14, 4, 3


def reels(seed: int = 0, *, stamped: bool = False, frames: int = FRAMES) -> Reels:
    """Three streams with four questions each."""
    rng = np.random.default_rng(seed)
    return draw_reels(rng, shots(), count=ROWS, frames=frames, questions=ASKED, stamped=stamped)


def laid_out(stamped: bool, hiding: bool) -> tuple[Reels, Batch, Tensor, Collator]:
    """Streams as tokens, some of them hidden; with what is shown, (B, places of the video)."""
    collator, drawn = Collator(tokenizer()), reels(stamped=stamped)
    whole = TOKENS + collator.stamp_tokens(drawn)
    shown = torch.ones(ROWS, FRAMES, whole, dtype=torch.bool)
    if hiding:
        shown[0, :5] = False
        shown[1, :9, ::2] = False
    return drawn, collator.collate(drawn, TOKENS, shown), shown.flatten(1), collator


@pytest.mark.parametrize("stamped", [False, True])
@pytest.mark.parametrize("hiding", [False, True])
def test_an_exchange_sees_the_video_and_itself_at_contiguous_positions(
    stamped: bool, hiding: bool
) -> None:
    """The prompt, what is shown of the frames, and its own tokens up to the one that asks; of no other exchange anything.
    Their positions are 0, 1, 2 ..., as inference has them.
    """
    _, batch, shown, collator = laid_out(stamped, hiding)
    mask, positions = attention_mask(batch)[:, 0], position_ids(batch)
    prompt = len(collator.prompt)
    for row in range(ROWS):
        video = [*range(prompt), *(prompt + shown[row].nonzero().flatten()).tolist()]
        for group in range(1, ASKED + 1):
            own = (batch.groups[row] == group).nonzero().flatten().tolist()
            assert len(own) > 5
            for number, place in enumerate(own):
                seen = mask[row, place].nonzero().flatten().tolist()
                assert seen == [*video, *own[: number + 1]]
                assert positions[row, seen].tolist() == list(range(len(seen)))


def test_the_video_sees_all_of_itself() -> None:
    """What is hidden from the exchanges was there when the frames were taken in: each frame saw everything before it."""
    _, batch, shown, collator = laid_out(stamped=True, hiding=True)
    mask = attention_mask(batch)[:, 0]
    width = len(collator.prompt) + shown.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    assert torch.equal(mask[:, :width, :width], causal.expand(ROWS, -1, -1))
    assert not mask[:, :width, width:].any()


def test_everything_is_seen_where_nothing_is_hidden() -> None:
    """No mask is as a mask of all."""
    drawn, collator = reels(), Collator(tokenizer())
    shown = torch.ones(ROWS, FRAMES, TOKENS, dtype=torch.bool)
    one, two = collator.collate(drawn, TOKENS), collator.collate(drawn, TOKENS, shown)
    assert torch.equal(attention_mask(one), attention_mask(two))
    assert torch.equal(position_ids(one), position_ids(two))


@pytest.mark.parametrize("stamped", [False, True])
def test_labels_are_the_answers(stamped: bool) -> None:
    """Exchange by exchange: the question in its chat frame, then the answer and its end, each asked of the token before it."""
    drawn, batch, _, collator = laid_out(stamped, hiding=False)
    for row, exchanges in enumerate(drawn.exchanges):
        for group, exchange in enumerate(exchanges, start=1):
            own = batch.groups[row] == group
            ids, labels = batch.ids[row, own], batch.labels[row, own]
            answer = labels[labels != IGNORED]
            assert tokenizer().decode(answer) == exchange.answer + "<|im_end|>"
            text = collator.layout.ask(exchange.question) + exchange.answer + "<|im_end|>"
            assert tokenizer().decode(ids) == text
            asking = (labels != IGNORED).nonzero().flatten()
            assert torch.equal(ids[asking + 1], answer)
    assert (batch.labels[batch.groups <= 0] == IGNORED).all()


def test_a_frame_has_its_time_before_it() -> None:
    """First the three tokens of the time, then the places of its picture; all of them are that frame's."""
    drawn, batch, _, collator = laid_out(stamped=True, hiding=False)
    prompt = len(collator.prompt)
    assert collator.stamp_tokens(drawn) == 3
    for row, footage in enumerate(drawn.footage):
        assert footage.stamps is not None
        for frame, stamp in enumerate(footage.stamps):
            places = (batch.frame_of == frame).nonzero().flatten()
            first = prompt + frame * (3 + TOKENS)
            assert places.tolist() == list(range(first, first + 3 + TOKENS))
            assert tokenizer().decode(batch.ids[row, places[:3]]) == stamp
            assert batch.pixels[places].tolist() == [False] * 3 + [True] * TOKENS
    assert batch.pixels.sum() == FRAMES * TOKENS
    assert tokenizer().decode(batch.ids[0, :prompt]) == collator.layout.before_video


def test_without_times_a_frame_is_its_picture() -> None:
    """All of its places take frame tokens."""
    drawn, batch, _, collator = laid_out(stamped=False, hiding=False)
    assert collator.stamp_tokens(drawn) == 0
    assert torch.equal(batch.pixels, batch.frame_of >= 0)
    assert batch.frame_of[batch.pixels].tolist() == sorted([*range(FRAMES)] * TOKENS)


def test_a_batch_moves_whole() -> None:
    """To a device go all of its parts."""
    batch = laid_out(stamped=False, hiding=False)[1].to(torch.device("meta"))
    assert all(getattr(batch, name).is_meta for name in Batch.__dataclass_fields__)


def ways_of_hiding() -> list[tuple[Reels, Tensor | None]]:
    """Many draws."""
    drawn = [reels(seed, frames=20) for seed in range(6)]
    return [
        (drawn[seed % 6], draw_shown(np.random.default_rng(seed), drawn[seed % 6], 5))
        for seed in range(240)
    ]


def test_the_newest_frames_are_never_hidden() -> None:
    """Short-term memory is exact: whatever is hidden, the newest frames are seen, and at times one more or less is not."""
    hidden = set()
    for _, shown in ways_of_hiding():
        if shown is not None:
            assert shown.shape == (ROWS, 20, 5)
            assert shown[:, -EXACT[0] :].all()
            whole = shown.all(dim=(0, 2)).flip(0).long().cumprod(0).sum()
            hidden.add(int(whole))
    assert EXACT[0] in hidden
    assert len(hidden) > 3


def test_half_of_the_time_everything_is_seen_and_otherwise_tokens_or_frames_are_gone() -> None:
    """As before retention, after it, and after recall."""
    draws = [shown for _, shown in ways_of_hiding()]
    whole = sum(shown is None for shown in draws)
    by_frame = sum(
        shown is not None and bool((shown.all(2) == shown.any(2)).all()) for shown in draws
    )
    assert 90 < whole < 150
    assert 35 < by_frame < 85
    assert 35 < len(draws) - whole - by_frame < 85


def test_whole_frames_are_hidden_only_where_no_answer_is_in_them() -> None:
    """Recall that found something found what the question needs."""
    checked = 0
    for drawn, shown in ways_of_hiding():
        if shown is None or not (shown.all(2) == shown.any(2)).all():
            continue
        for row, exchanges in enumerate(drawn.exchanges):
            needed = [frame for exchange in exchanges for frame in exchange.frames]
            assert shown[row, needed].all()
            checked += not shown[row].all()
    assert checked > 20


def test_short_streams_hide_nothing() -> None:
    """Where all frames are new, all are seen."""
    drawn = reels(frames=EXACT[0])
    assert all(draw_shown(np.random.default_rng(seed), drawn, 5) is None for seed in range(40))


def test_long_and_short_exchanges_share_a_batch() -> None:
    """The shorter row is filled with places that nobody sees and nothing is asked of."""
    drawn = reels()
    first = Exchange("now_is", "is there a star?", "yes", (FRAMES - 1,))
    uneven = Reels(drawn.scenes, drawn.looks, drawn.footage, [[first], *drawn.exchanges[1:]])
    batch = Collator(tokenizer()).collate(uneven, TOKENS)
    rest = batch.groups[0] == -1
    assert rest.any()
    assert not attention_mask(batch)[0, 0][~rest][:, rest].any()
    assert (batch.labels[0, rest] == IGNORED).all()
