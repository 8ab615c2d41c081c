"""The last N frames (SimpleStream, arXiv 2604.02317): the newest whole frames, and no memory of anything before them.

Given no budget at all, which is what `memory.retention = "last"` means unless a budget is set, only the short-term tier is
held, so that the device holds what the method needs and no more; with a budget as many whole frames as fit it are held
besides. The paper reads 4 frames at 1 fps. Different here: SimpleStream encodes its frames anew for each question, blind to
what was before; here they are encoded as they come, attending to the frames before them, of which something stays in their
values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from memory.retention.base import Kept, LongTerm


@dataclass(frozen=True, slots=True)
class LastFrames:
    """The newest frames only."""

    bounded = True

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The newest whole frames that fit."""
        places = memory.everything
        # Whole frames go in every layer alike, so one layer's frames are all layers'.
        _, sizes = torch.unique_consecutive(memory.frames[0], return_counts=True)
        newest = sizes.flip(0).cumsum(0)
        held = int(sizes.flip(0)[newest <= budget].sum())
        return Kept(places[:, len(memory) - held :])
