"""One carrier token a frame (in the manner of VideoScan, arXiv 2503.09387), in a variant that needs no training.

VideoScan puts one token, the mean of the frame's embeddings, behind each frame, trains the model to let it carry what the
frame and those before it say, and forgets the frame. A model that was not trained so has no such token; here the carrier is
the mean of the frame's position-free keys and of its values, and stands where the frame's last token stood. It is made when
room is needed and not before, oldest frames first. When carriers alone are too many, they are thinned out evenly, like
uniform frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.retention.base import Kept, LongTerm, Merged
from memory.retention.merging import frame_means
from memory.retention.uniform import thinned


@dataclass(frozen=True, slots=True)
class CarrierTokens:
    """Frames become their mean."""

    bounded = True

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """Carriers of the oldest frames, as many as it takes, and the newer frames whole."""
        places, excess = memory.everything, len(memory) - budget
        if excess <= 0:
            return Kept(places)
        # Frames are merged and go in every layer alike, so one layer's frames are all layers'.
        frames, frame, sizes = torch.unique_consecutive(
            memory.frames[0], return_inverse=True, return_counts=True
        )
        saved = (sizes - 1).cumsum(0)
        count = min(int((saved < excess).sum()) + 1, len(frames))
        last = sizes.cumsum(0) - 1
        stays = (frame >= count) | torch.isin(torch.arange(len(memory)), last)
        if int(saved[-1]) < excess:
            stays &= torch.isin(frame, thinned(frames, torch.ones_like(sizes), budget))
        # The oldest are carriers already.
        first = int((saved == 0).sum())
        merged = carriers(memory, sizes, slice(first, count)) if first < count else None
        return Kept(places[:, stays.to(places.device)], merged)


def carriers(memory: LongTerm, sizes: Tensor, chosen: slice) -> Merged:
    """The means of the chosen ones of the frames of so many tokens (F,), at the places of their last tokens."""
    layers, device = len(memory.keys), memory.keys.device
    last = (sizes.cumsum(0) - 1)[chosen]
    sizes = sizes[chosen]
    tokens = slice(int(last[0] + 1 - sizes[0]), int(last[-1]) + 1)
    frame = torch.arange(len(sizes)).repeat_interleave(sizes)
    alike = torch.ones(layers, len(frame), device=device)
    return Merged(
        last.to(device).expand(layers, -1),
        frame_means(memory.keys[:, :, tokens], frame, alike),
        frame_means(memory.values[:, :, tokens], frame, alike),
    )
