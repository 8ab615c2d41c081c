"""LiveVLM as its first version described it (arXiv 2505.15269v1): of every clip the best tokens stay, and a mean of each frame.

When tokens have left the short-term memory, those of them that the newest queries look at most stay, a share of them all; the
keys and values of each of their frames are also merged into one mean. What is over the budget goes first in, first out. The
second version (memory/retention/vsb.py) has Vision Sink Bucketing in its place.

What is not known of it and done here: the share is a setting; a clip is what has left the short-term memory since the last
time room was needed, scored by the queries of the newest tokens over all that is held rather than by the clip's own last
queries over the clip alone; a frame's mean stands in the place of its last token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from memory.retention.base import Kept, LongTerm, best
from memory.retention.carrier import carriers


@dataclass(frozen=True, slots=True)
class ClipMerging:
    """clip_ratio: the share of a clip's tokens that stay, its frames' means besides."""

    clip_ratio: float = 0.25
    bounded = True

    def __post_init__(self) -> None:
        assert 0 <= self.clip_ratio <= 1, self.clip_ratio

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The older tokens, the best of the fresh ones and their frames' means; of these the newest that fit."""
        places, fresh = memory.everything, memory.fresh
        if len(memory) <= budget:
            return Kept(places)
        if fresh == 0:
            return Kept(places[:, len(memory) - budget :])
        older = len(memory) - fresh
        frames = torch.unique_consecutive(memory.frames[0, older:], return_counts=True)[1]
        last = older + frames.cumsum(0).to(places.device) - 1
        scores = memory.attention()[:, older:].clone()
        scores[:, last - older] = torch.inf
        stay = older + best(scores, len(last) + round(self.clip_ratio * (fresh - len(last))))
        kept = torch.cat((places[:, :older], stay), dim=1)
        sizes = torch.unique_consecutive(memory.frames[0], return_counts=True)[1]
        merged = carriers(memory, sizes, slice(len(sizes) - len(frames), None))
        return Kept(kept[:, max(0, kept.shape[1] - budget) :], merged)
