"""LiveVLM's first version: the best of a clip, its frames' means, and first in, first out."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import ClipMerging, ReadAll
from tests.memory.making import block, long_term, memory


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    older=st.integers(0, 6),
    budget=st.integers(1, 30),
    ratio=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_a_clip_is_its_best_tokens_and_its_frames_means(
    sizes: list[int], older: int, budget: int, ratio: float, seed: int
) -> None:
    """Against a walk over the tokens: what was there before stays while there is room, the newest of all stay in any case."""
    clip = sum(sizes)
    shown = long_term([*([1] * older), *sizes], layers=2, fresh=clip, seed=seed)
    scores = shown.attention()
    kept = ClipMerging(ratio).keep(shown, budget)
    if older + clip <= budget:
        assert kept.places.tolist() == [list(range(older + clip))] * 2
        return
    ends = [older + end - 1 for end in torch.tensor(sizes).cumsum(0).tolist()]
    rest = [token for token in range(older, older + clip) if token not in ends]
    for layer in range(2):
        by_score = sorted(rest, key=lambda token: -float(scores[layer, token]))
        stay = sorted([*range(older), *ends, *by_score[: round(ratio * len(rest))]])
        assert kept.places[layer].tolist() == stay[max(0, len(stay) - budget) :]
    assert kept.merged is not None
    assert kept.merged.at.tolist() == [ends] * 2
    for number, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        mean = shown.keys[:, :, end + 1 - size : end + 1].mean(2)
        torch.testing.assert_close(kept.merged.keys[:, :, number], mean)


def test_the_oldest_go_first() -> None:
    """A long stream: each frame that is left has its mean, and the oldest frames are gone altogether."""
    store = memory(ClipMerging(0.0), ReadAll(), budget=20, short=2, chunk=2)
    for first in range(0, 60, 2):
        store.append(block(2, first=first))
    frames = store.frames[0, 3:].tolist()
    assert frames[:20] == sorted(frames[:20])
    assert min(frames) >= 30
    assert max(frames) == 59
    whole = block(2, first=frames[0] // 2 * 2).keys[:, :, frames[0] % 2 * 4 :][:, :, :4]
    torch.testing.assert_close(store.context().keys[:, :, 3], whole.mean(2))


def test_nothing_fresh_means_the_newest() -> None:
    """Asked again without anything new, the oldest go."""
    shown = long_term([2, 2, 2], fresh=0)
    assert ClipMerging().keep(shown, 4).places.tolist() == [[2, 3, 4, 5]]
