"""Answers side by side in one walk: each over its own past, at its own positions, whatever stands beside it."""

from __future__ import annotations

import itertools

import pytest
import torch

from livevlm.decoder import AnswerPast, AnswerPasts, ChunkPast
from livevlm.toy import ToyBackbone
from memory import Recall, Tiers

LENGTHS = (3, 40, 17)


def past(toy: ToyBackbone, tokens: int) -> AnswerPast:
    """A working copy of so many random tokens; the same for the same number."""
    kv, made = toy.kv, torch.Generator().manual_seed(tokens)
    shape = (kv.layers, kv.kv_heads, tokens, kv.head_dim)
    keys, values = (torch.randn(shape, generator=made) for _ in range(2))
    times, numbers = torch.zeros(kv.layers, tokens), torch.arange(tokens).expand(kv.layers, tokens)
    recall = Recall(
        keys, values, times, times, numbers, numbers, Tiers(prompt=0, long=tokens, short=0)
    )
    return AnswerPast(recall, toy.rope, 20)


@pytest.mark.parametrize("counts", [(1, 1, 1), (4, 1, 7)])
def test_a_walk_of_several_is_the_walks_of_each(counts: tuple[int, ...]) -> None:
    """Pasts of different lengths, one token each as in decoding or several as in reading: the hidden states are those of each
    alone, walk after walk, and so are the queries that are kept.
    """
    toy = ToyBackbone()
    together, alone = ([past(toy, length) for length in LENGTHS] for _ in range(2))
    for turn in range(2):
        ids = [[turn + 10 * place + n for n in range(count)] for place, count in enumerate(counts)]
        hidden = toy.forward(toy.embed([*itertools.chain(*ids)]), AnswerPasts(together, counts))
        single = [toy.forward(toy.embed(own), one) for own, one in zip(ids, alone, strict=True)]
        torch.testing.assert_close(hidden, torch.cat(single), atol=1e-5, rtol=1e-5)
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours.queries, theirs.queries, atol=1e-5, rtol=1e-5)
            assert len(ours) == len(theirs)
    grown = [length + 2 * count for length, count in zip(LENGTHS, counts, strict=True)]
    assert [len(one) for one in together] == grown


def test_kept_queries_have_no_position() -> None:
    """Of the last token alone: in the first layer they are the same wherever the token stands."""
    toy = ToyBackbone()
    here, nowhere = past(toy, 40), ChunkPast(None, toy.rope, 1)
    toy.forward(toy.embed([7, 9]), here)
    toy.forward(toy.embed([9]), nowhere)
    assert here.queries.shape == (toy.kv.layers, toy.kv.heads, 1, toy.kv.head_dim)
    torch.testing.assert_close(here.queries[0], nowhere.queries[0])


def test_no_walk_goes_beyond_the_room() -> None:
    """A working copy is as large as the longest answer: more is a bug, and said so."""
    toy = ToyBackbone()
    with pytest.raises(AssertionError, match="no room for 24 tokens in 23"):
        toy.forward(toy.embed([1] * 21), past(toy, 3))
