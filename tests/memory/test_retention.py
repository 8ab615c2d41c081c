"""What every retention is shown, and what every one of them holds to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import (
    CarrierTokens,
    InfiniPotV,
    KeepAll,
    Kept,
    LastFrames,
    LongTerm,
    Merged,
    ReadAll,
    Retention,
    SlidingWindow,
    StreamMem,
    TopScores,
    Uniform,
    VisionSinkBucketing,
)
from memory.retention import best
from tests.memory.making import ROPE, SHAPE, block, long_term, memory, question

RETENTIONS: dict[str, Retention] = {
    "vsb": VisionSinkBucketing(),
    "carrier": CarrierTokens(),
    "streammem": StreamMem(question()),
    "infinipot": InfiniPotV(),
    "topk": TopScores(),
    "last": LastFrames(),
    "window": SlidingWindow(4),
    "uniform": Uniform(),
}
each_retention = pytest.mark.parametrize("name", RETENTIONS)


@dataclass
class Watched:
    """Keeps the newest, and what it was shown last."""

    shown: list[LongTerm] = field(default_factory=list)
    scores: list[torch.Tensor] = field(default_factory=list)
    proxy: torch.Tensor | None = None
    bounded = True

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The newest tokens."""
        # Views: the compaction that follows changes what they show.
        self.shown.append(
            replace(
                memory,
                frames=memory.frames.clone(),
                numbers=memory.numbers.clone(),
                patches=memory.patches.clone(),
                recent_patches=memory.recent_patches.clone(),
            )
        )
        self.scores.append(memory.attention(self.proxy))
        return Kept(memory.everything[:, -budget:])


def test_retention_is_shown_whole_frames_as_they_came() -> None:
    """Tokens know their frame, their place in the stream and how many of their frame follow; new ones are told apart;
    the short-term tier is in sight.
    """
    watched = Watched()
    store = memory(watched, ReadAll(), budget=5, short=2, chunk=2)
    for number, tokens in enumerate([3, 2, 4, 1, 3, 2]):
        store.append(block(1, first=number, tokens=tokens))
    first, *_, last = watched.shown
    assert (len(first), first.fresh) == (9, 9)
    assert first.frames[0].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert first.patches[1].tolist() == [2, 1, 0, 1, 0, 3, 2, 1, 0]
    assert (len(last), last.fresh) == (6, 1)
    assert last.frames[0].tolist() == [1, 2, 2, 2, 2, 3]
    assert last.numbers[0].tolist() == [4, 5, 6, 7, 8, 9]
    assert last.recent_patches[0].tolist() == [2, 1, 0, 1, 0]
    assert last.recent_keys.shape == (2, 2, 5, 8)


def test_a_proxy_is_scored_as_if_it_came_next() -> None:
    """Its queries stand behind all tokens and see all of them; the shares are of everything held, the prompt too."""
    asked = torch.randn(2, 4, 3, 8, generator=torch.Generator().manual_seed(4))
    watched = Watched(proxy=asked)
    store = memory(watched, ReadAll(), budget=8, short=1, chunk=1)
    for number in range(4):
        keys = torch.cat((store.context().keys, block(1, first=number).keys), dim=2)
        store.append(block(1, first=number))
    for layer in range(SHAPE.layers):
        rotated = ROPE.rotate(keys[layer], torch.arange(19)).repeat_interleave(2, dim=0)
        query = ROPE.rotate(asked[layer], torch.arange(19, 22))
        weights = (query @ rotated.transpose(1, 2) / 8**0.5).softmax(-1).mean(dim=(0, 1))
        torch.testing.assert_close(watched.scores[0][layer], weights[3:15])


@dataclass
class Writes(Watched):
    """Writes ones over the second token, and keeps the newest."""

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The newest tokens, the second of them all ones."""
        at = memory.everything[:, -budget + 1 : -budget + 2]
        ones = torch.ones(SHAPE.layers, SHAPE.kv_heads, 1, SHAPE.head_dim)
        return Kept(memory.everything[:, -budget:], Merged(at, ones, 2 * ones))


def test_what_was_merged_is_written_where_it_belongs() -> None:
    """Merged keys and values rest at the place that was named for them, and nothing else changes."""
    kept, written = (memory(rule, ReadAll(), budget=8, short=1) for rule in (Watched(), Writes()))
    for number in range(4):
        kept.append(block(1, first=number))
        written.append(block(1, first=number))
    for part, value in (("keys", 1.0), ("values", 2.0)):
        expected = getattr(kept.context(), part).clone()
        expected[:, :, 4] = value
        assert torch.equal(getattr(written.context(), part), expected)


@settings(deadline=None, max_examples=30)
@given(
    scores=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    count=st.integers(0, 25),
)
def test_best_is_sorting(scores: list[int], count: int) -> None:
    """The highest stay, of equals the older, in stream order."""
    expected = sorted(sorted(range(len(scores)), key=lambda at: (-scores[at], at))[:count])
    assert best(torch.tensor([scores], dtype=torch.float32), count)[0].tolist() == expected


@each_retention
def test_a_budget_that_is_not_exceeded_keeps_everything(name: str) -> None:
    """With room for all, nothing goes and nothing is written."""
    shown = long_term([3, 1, 4], layers=2, recent=[4, 2])
    for budget in (8, 9, 100):
        kept = RETENTIONS[name].keep(shown, budget)
        assert kept.places.tolist() == [list(range(8))] * 2
        assert kept.merged is None


@each_retention
def test_a_thousand_appends_hold_budget_order_and_uniqueness(name: str) -> None:
    """Whatever sizes of frames come, for long: never over the budget, in stream order, no token twice, bytes as they were."""
    store = memory(RETENTIONS[name], ReadAll(), budget=30, short=2, frame_tokens=6, chunk=1)
    size = store.stats().device_bytes
    sizes = torch.randint(1, 7, (1000,), generator=torch.Generator().manual_seed(1)).tolist()
    blocks = [block(1, first=0, tokens=tokens) for tokens in range(1, 7)]
    for number, tokens in enumerate(sizes):
        told = blocks[tokens - 1]
        store.append(replace(told, frames=told.frames + number, times=told.times + number))
        assert store.tiers.long <= 30
        assert (store._pool.numbers.diff(dim=1) > 0).all()
        assert (store.frames.diff(dim=1) >= 0).all()
    assert store.stats().device_bytes == size
    assert store.stats().evicted_tokens == sum(sizes) - store.tiers.video


def test_keeping_everything_is_asked_for_all() -> None:
    """Its answer to any budget is all there is."""
    assert KeepAll().keep(long_term([2, 2]), 1).places.tolist() == [[0, 1, 2, 3]]


def test_a_memory_that_grows_keeps_what_its_tokens_know() -> None:
    """Where nothing is dropped the tensors double; places in stream and frame move along."""
    store = memory(KeepAll(), ReadAll(), budget=8, short=1, chunk=1)
    for number in range(40):
        store.append(block(1, first=number))
    assert store._pool.patches[:, 3:].tolist() == [[3, 2, 1, 0] * 40] * 2
    assert store._pool.numbers[1].tolist() == list(range(163))
