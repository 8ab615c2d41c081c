"""InfiniPot-V: which tokens stay."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import InfiniPotV, LongTerm, ReadAll
from tests.memory.making import block, long_term, memory


def naive(shown: LongTerm, layer: int, ratio: float, budget: int) -> list[int]:
    """The method as it is told: patch by patch, head by head, recent frame by recent frame."""
    tokens, recent = range(len(shown)), range(shown.recent_keys.shape[2])
    redundancy, norms = [], []
    for token in tokens:
        cosines = [
            float(torch.cosine_similarity(key, other, dim=0))
            for head in range(2)
            for key in [shown.keys[layer, head, token]]
            for at in recent
            for other in [shown.recent_keys[layer, head, at]]
            if shown.recent_patches[layer, at] == shown.patches[layer, token]
        ]
        redundancy.append(sum(cosines) / len(cosines) if cosines else 0.0)
        norms.append(sum(float(shown.values[layer, head, token].norm()) for head in range(2)))
    kept = sorted(tokens, key=lambda token: (redundancy[token], token))[: round(ratio * budget)]
    rest = sorted(set(tokens) - set(kept), key=lambda token: (-norms[token], token))
    return sorted(kept + rest[: budget - len(kept)])


@settings(deadline=None, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=5),
    recent=st.lists(st.integers(1, 4), max_size=3),
    ratio=st.sampled_from([0.0, 0.5, 1.0]),
    budget=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_selection_equals_the_slow_telling(
    sizes: list[int], recent: list[int], ratio: float, budget: int, seed: int
) -> None:
    """Frames of any sizes, patches that no recent frame has, no recent frame at all."""
    shown = long_term(sizes, layers=2, recent=recent, seed=seed)
    places = InfiniPotV(ratio).keep(shown, budget).places.tolist()
    if budget >= len(shown):
        assert places == [list(range(len(shown)))] * 2
    else:
        assert places == [naive(shown, layer, ratio, budget) for layer in range(2)]


def test_what_did_not_change_goes_and_what_moved_stays() -> None:
    """A patch that looks as it does now is forgotten, but for large values; a patch that looked different is remembered."""
    shown = long_term([4, 4, 4], recent=[4, 4])
    for token in range(12):
        shown.keys[:, :, token] = shown.recent_keys[:, :, token % 4]
    shown.recent_keys[:, :, 4:] = shown.recent_keys[:, :, :4]
    shown.keys[:, :, 5] *= -1
    shown.keys[:, :, 10] *= -1
    shown.values[:, :, 2] *= 100
    assert InfiniPotV(1.0).keep(shown, 2).places.tolist() == [[5, 10]]
    assert InfiniPotV(0.5).keep(shown, 2).places.tolist()[0][0] == 2
    assert InfiniPotV(0.67).keep(shown, 3).places.tolist() == [[2, 5, 10]]


def test_patches_are_known_after_many_compressions() -> None:
    """In a stream where only one patch ever changes, that patch is what long-term memory holds of the past."""
    store = memory(InfiniPotV(1.0), ReadAll(), budget=12, short=2, chunk=1)
    still = block(1, first=0)
    for number in range(60):
        fresh = block(1, first=number)
        fresh.keys[:, :, [0, 1, 3]] = still.keys[:, :, [0, 1, 3]]
        store.append(fresh)
    patches = store._pool.patches[:, 3:-8]
    assert (patches == 1).float().mean() > 0.9
