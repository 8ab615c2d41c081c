"""The highest scores: which tokens stay."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import TopScores, VisionSinkBucketing
from tests.memory.making import long_term


def naive(scores: list[int], width: int, budget: int) -> list[int]:
    """Average around each token over those that are there, then the best."""
    half, tokens = width // 2, range(len(scores))
    pooled = []
    for token in tokens:
        around = scores[max(0, token - half) : token + half + 1]
        pooled.append(sum(around) / len(around))
    return sorted(sorted(tokens, key=lambda token: (-pooled[token], token))[:budget])


@settings(deadline=None, max_examples=60)
@given(
    # Squares: sums of different neighbours are seldom equal, where rounding would decide.
    scores=st.lists(st.integers(0, 30).map(lambda root: root * root), min_size=1, max_size=30),
    width=st.sampled_from([1, 3, 5]),
    budget=st.integers(0, 32),
)
def test_the_best_neighbourhoods_stay(scores: list[int], width: int, budget: int) -> None:
    """What stays has the highest mean score around it, at the ends of what is there."""
    given_scores = torch.tensor([scores], dtype=torch.float64)
    shown = long_term([1] * len(scores), scores=given_scores)
    assert TopScores(width).keep(shown, budget).places[0].tolist() == naive(scores, width, budget)


def test_nothing_holds_the_past_against_high_scores() -> None:
    """Where all that is looked at is new, only that stays; Vision Sink Bucketing keeps some of every stretch."""
    shown = long_term([1] * 100, scores=torch.arange(100.0)[None])
    assert TopScores().keep(shown, 10).places[0].tolist() == list(range(90, 100))
    spread = VisionSinkBucketing().keep(shown, 10).places[0]
    assert int((spread < 50).sum()) >= 3


def test_neighbours_of_the_best_stay_with_it() -> None:
    """Scores are pooled: a token beside a high one beats one that stands alone and a little higher."""
    scores = torch.zeros(1, 30)
    scores[0, 10], scores[0, 25] = 9.0, 1.0
    shown = long_term([1] * 30, scores=scores)
    assert TopScores(3).keep(shown, 3).places[0].tolist() == [9, 10, 11]
    assert TopScores(1).keep(shown, 2).places[0].tolist() == [10, 25]


def test_an_even_window_has_no_middle() -> None:
    """It is refused when it is made."""
    with pytest.raises(AssertionError):
        TopScores(4)
