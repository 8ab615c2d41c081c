"""StreamMem (arXiv 2508.15717): what a question not yet asked would look at.

Long-term tokens, old and new, compete by the attention that a proxy pays them: the text of the chat template that stands
between a video and its answer. And each frame gives one prototype, the mean of its keys and values weighted by that
attention, when retention first meets it. Where what is known of the method is silent: a prototype takes the place of its
frame's last token; it stays through that first compression and competes like any token from then on. Different here: the
proxy is read once over the prompt, as questions are here, not behind every chunk; positions are contiguous, where StreamMem
stretches them (YaRN); frames alike are not merged before they come, which `ingest.similarity` may do instead; heads of a
layer choose together, equally many in every layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.retention.base import Kept, LongTerm, Merged, best
from memory.retention.merging import frame_means


@dataclass(frozen=True, slots=True, eq=False)
class StreamMem:
    """proxy: position-free queries (L, H, R, D)."""

    proxy: Tensor
    bounded = True

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The new frames' prototypes, then the best. Ties go to the older token."""
        if budget >= len(memory):
            return Kept(memory.everything)
        scores = memory.attention(self.proxy)
        if memory.fresh == 0:
            return Kept(best(scores, budget))
        merged = prototypes(memory, scores)
        return Kept(best(scores.scatter(1, merged.at, torch.inf), budget), merged)


def prototypes(memory: LongTerm, scores: Tensor) -> Merged:
    """One token a fresh frame, weighted by the scores (L, N), at the place of the frame's last."""
    layers, tokens = scores.shape
    fresh = slice(tokens - memory.fresh, tokens)
    _, frame, counts = torch.unique_consecutive(
        memory.frames[0, fresh], return_inverse=True, return_counts=True
    )
    last = counts.cumsum(0) - 1 + fresh.start
    return Merged(
        last.to(scores.device).expand(layers, -1),
        frame_means(memory.keys[:, :, fresh], frame, scores[:, fresh]),
        frame_means(memory.values[:, :, fresh], frame, scores[:, fresh]),
    )
