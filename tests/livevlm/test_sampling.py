"""Choosing the next token."""

from __future__ import annotations

from collections import Counter

import torch

from livevlm.sampling import TokenSampler

LOGITS = torch.tensor([0.1, 0.4, 0.3, 0.2]).log()


def test_temperature_zero_is_greedy() -> None:
    """The likeliest token, always."""
    assert {TokenSampler().next(LOGITS) for _ in range(20)} == {1}


def test_the_same_seed_samples_the_same() -> None:
    """An answer can be asked for again."""
    one, other = (TokenSampler(temperature=1.0, seed=5) for _ in range(2))
    assert [one.next(LOGITS) for _ in range(50)] == [other.next(LOGITS) for _ in range(50)]


def test_sampling_follows_the_probabilities() -> None:
    """4000 draws: each share lies within five standard deviations, so a false alarm is rarer than one in a million."""
    sampler = TokenSampler(temperature=1.0, seed=1)
    counts = Counter(sampler.next(LOGITS) for _ in range(4000))
    for token, share in enumerate((0.1, 0.4, 0.3, 0.2)):
        assert abs(counts[token] / 4000 - share) < 5 * (share * (1 - share) / 4000) ** 0.5


def test_top_p_keeps_the_smallest_set_that_holds_it() -> None:
    """At 0.6 only the two likeliest; the likeliest alone stays even at a tiny top_p."""
    sampler = TokenSampler(temperature=1.0, top_p=0.6, seed=2)
    assert {sampler.next(LOGITS) for _ in range(300)} == {1, 2}
    sampler = TokenSampler(temperature=1.0, top_p=0.01, seed=2)
    assert {sampler.next(LOGITS) for _ in range(50)} == {1}
