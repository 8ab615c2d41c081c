"""Uniform: whole frames, evenly spaced over the whole stream.

The usual way to show a long video to a model that reads few frames. There the length is known beforehand; here the stream
grows, so frames go one after the other, each time the one whose going leaves the smallest hole, the older of equals. The
stream's first frame stays. No hole then grows much beyond twice the mean one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.retention.base import Kept, LongTerm


@dataclass(frozen=True, slots=True)
class Uniform:
    """Evenly spaced frames."""

    bounded = True

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """Whole frames, as many as fit."""
        places = memory.everything
        # Whole frames go in every layer alike, so one layer's frames are all layers'.
        frames, frame, sizes = torch.unique_consecutive(
            memory.frames[0], return_inverse=True, return_counts=True
        )
        stays = torch.isin(frame, thinned(frames, sizes, budget))
        return Kept(places[:, stays.to(places.device)])


def thinned(frames: Tensor, sizes: Tensor, budget: int) -> Tensor:
    """Frames by number (F,), rising, and by size (F,), in tokens -> the indices of those that stay within the budget."""
    stay = torch.arange(len(frames))
    excess = int(sizes.sum()) - budget
    while excess > 0:
        here = frames[stay]
        # The short-term tier follows the last one.
        holes = torch.cat((here[1:], here[-1:] + 1))
        holes[1:] -= here[:-1]
        if len(holes) > 1:
            holes[0] = holes.max() + 1
        least = int(holes.argmin())
        excess -= int(sizes[stay[least]])
        stay = torch.cat((stay[:least], stay[least + 1 :]))
    return stay
