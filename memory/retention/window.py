"""Sliding window and attention sink (StreamingLLM, arXiv 2309.17453; for video StreamingVLM, ICLR 2026).

The first tokens stay, because attention rests on them whatever they say, and the newest; the middle is forgotten. Positions
are contiguous over what is held, as in both papers; here they always are. Different here: the pinned prompt is a sink
already, to which the stream's own first tokens are added; StreamingVLM's windows of its own spoken text have no
counterpart, and its model is trained for the window.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from memory.retention.base import Kept, LongTerm


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """sink_tokens: how many of the stream's first tokens stay."""

    sink_tokens: int = 4
    bounded = True

    def __post_init__(self) -> None:
        assert self.sink_tokens >= 0, self.sink_tokens

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The first tokens, and the newest that fit beside them."""
        places, tokens = memory.everything, len(memory)
        if budget >= tokens:
            return Kept(places)
        # The sink was never dropped, so what is first here is first in the stream.
        sink = min(self.sink_tokens, budget)
        return Kept(torch.cat((places[:, :sink], places[:, tokens - budget + sink :]), dim=1))
