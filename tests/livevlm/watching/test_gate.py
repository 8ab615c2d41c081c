"""The gate: when the language model is asked again."""

from __future__ import annotations

import math

import pytest
import torch

from livevlm.watching.gate import GateOptions, Look, moved, opens

GATE = GateOptions(change=0.1, longest_s=30.0)


def look(*values: float, utc: float = 0.0) -> Look:
    """What a stream looks like at a moment."""
    return Look(torch.tensor(values), utc)


def test_how_far_an_embedding_moved_is_relative_to_where_it_was() -> None:
    """Models differ in scale; the threshold does not."""
    assert moved(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.5])) == pytest.approx(0.1)
    assert moved(torch.tensor([30.0, 40.0]), torch.tensor([30.0, 45.0])) == pytest.approx(0.1)
    assert moved(torch.tensor([1.0]), torch.tensor([1.0])) == 0.0


def test_what_cannot_be_compared_has_moved() -> None:
    """After a restart with another model, or from nothing."""
    assert moved(torch.zeros(2), torch.ones(2)) == math.inf
    assert moved(torch.ones(2), torch.ones(3)) == math.inf


@pytest.mark.parametrize(
    ("last", "now", "through"),
    [
        (None, look(1.0), True),
        (look(1.0), look(1.05, utc=1.0), False),
        (look(1.0), look(1.2, utc=1.0), True),
        (look(1.0), look(1.0, utc=29.9), False),
        (look(1.0), look(1.0, utc=30.0), True),
        (look(1.0, utc=50.0), look(1.0, utc=40.0), True),
    ],
)
def test_the_gate_opens_for_a_change_for_a_long_time_and_for_a_clock_put_back(
    last: Look | None, now: Look, through: bool
) -> None:
    """And stays closed otherwise."""
    assert opens(last, now, GATE) is through


def test_a_gate_of_0_lets_everything_through() -> None:
    """That is how every chunk is evaluated."""
    assert opens(look(1.0), look(1.0, utc=1.0), GateOptions(change=0.0))
