"""Token reducers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from livevlm.reducer import PoolReducer, SimilarityDrop, make_reducer, pooled_grid


def grid(seed: int, side: int = 8) -> torch.Tensor:
    """A frame's tokens before reduction."""
    return torch.randn(side, side, 6, generator=torch.Generator().manual_seed(seed))


def test_halving_is_the_mean_of_two_by_two() -> None:
    """Bilinear interpolation to half the sides, as LLaVA-OneVision pools video."""
    cells = grid(0).reshape(4, 2, 4, 2, 6).mean(dim=(1, 3)).reshape(16, 6)
    torch.testing.assert_close(PoolReducer((4, 4)).reduce(grid(0)), cells)


def test_other_sizes_average_areas() -> None:
    """A single token is the mean of the frame; a full grid is left alone."""
    torch.testing.assert_close(PoolReducer((1, 1)).reduce(grid(1)), grid(1).mean(dim=(0, 1))[None])
    assert torch.equal(PoolReducer((8, 8)).reduce(grid(1)), grid(1).reshape(64, 6))


@given(tokens=st.integers(1, 300))
def test_the_grid_for_a_count_has_that_count(tokens: int) -> None:
    """Whatever number of tokens a frame is configured, the grid gives exactly that many."""
    rows, columns = pooled_grid((14, 14), tokens)
    assert rows * columns == tokens
    assert rows <= columns


def test_zero_tokens_means_the_models_own() -> None:
    """Unset, the model sees frames as it was trained to."""
    assert make_reducer((14, 14), tokens=0, similarity=0.0).most == 196


def test_similar_tokens_are_dropped_and_changed_ones_stay() -> None:
    """A still frame leaves one token, a changed corner leaves that corner, a cut leaves all."""
    drop = SimilarityDrop(PoolReducer((8, 8)), 0.95)
    first = grid(2)
    assert len(drop.reduce(first)) == 64
    assert len(drop.reduce(first)) == 1
    changed = first.clone()
    changed[0, :3] = -changed[0, :3]
    assert torch.equal(drop.reduce(changed), changed[0, :3])
    assert len(drop.reduce(-changed)) == 64


def test_slow_change_is_seen_against_the_frame_before() -> None:
    """The comparison moves on with the stream: tokens that were dropped do not freeze the picture."""
    drop = make_reducer((4, 4), tokens=16, similarity=0.9)
    assert isinstance(drop, SimilarityDrop)
    drop.reduce(grid(3))
    drop.reduce(grid(4))
    assert len(drop.reduce(grid(4))) == 1


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_a_threshold_that_means_nothing_is_refused(threshold: float) -> None:
    """A threshold is a cosine similarity above 0."""
    with pytest.raises(AssertionError):
        SimilarityDrop(PoolReducer((4, 4)), threshold)
