"""Uniform frames: which stay."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import ReadAll, Uniform, VisionSinkBucketing
from tests.memory.making import block, long_term, memory


def naive(frames: list[int], sizes: list[int], budget: int) -> list[int]:
    """The frames that stay, dropped one at a time."""
    held = list(range(len(frames)))
    while sum(sizes[at] for at in held) > budget:
        holes = [
            (frames[held[i + 1]] if i + 1 < len(held) else frames[held[i]] + 1)
            - frames[held[i - 1]]
            for i in range(1, len(held))
        ]
        held.pop(1 + holes.index(min(holes)) if holes else 0)
    return [frames[at] for at in held]


@settings(deadline=None, max_examples=100)
@given(
    told=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=20),
    budget=st.integers(0, 60),
)
def test_frames_go_where_they_leave_the_smallest_hole(
    told: list[tuple[int, int]], budget: int
) -> None:
    """The frames that stay are those of the slow telling, whole, whatever their sizes and the gaps between them."""
    steps, sizes = zip(*told, strict=True)
    frames = [sum(steps[: at + 1]) for at in range(len(steps))]
    shown = long_term(list(sizes), layers=2)
    shown = replace(shown, frames=torch.tensor(frames)[shown.frames])
    places = Uniform().keep(shown, budget).places
    expected = [
        token
        for token, frame in enumerate(shown.frames[0].tolist())
        if frame in naive(frames, list(sizes), budget)
    ]
    assert places.tolist() == [expected, expected]


def test_the_newest_frame_has_a_neighbour_too() -> None:
    """The short-term tier follows it: a frame just behind another one goes before one in the middle of a wider hole."""
    shown = long_term([1, 1, 1])
    shown = replace(shown, frames=torch.tensor([[0, 2, 4]]))
    assert Uniform().keep(shown, 2).places.tolist() == [[0, 1]]


def test_a_long_stream_stays_evenly_covered() -> None:
    """After a thousand frames whole ones remain from the first on, and no hole is much more than twice the mean; Vision Sink
    Bucketing keeps parts of far more frames.
    """
    even, sinks = (
        memory(rule, ReadAll(), budget=64, short=1) for rule in (Uniform(), VisionSinkBucketing())
    )
    for first in range(0, 1000, 4):
        even.append(block(4, first=first))
        sinks.append(block(4, first=first))
    held, counts = even.frames[0, 3:-4].unique(return_counts=True)
    assert counts.tolist() == [4] * 16
    assert held[0] == 0
    holes = torch.cat((held, torch.tensor([1000]))).diff()
    assert holes.max() <= 2.2 * 1000 / 16
    assert len(sinks.frames[0, 3:-4].unique()) > 32
