"""ReKV (ICLR 2025, arXiv 2503.00540), the baseline: keep everything off the device, read the 64 best frames of each layer.

A block is a frame, its representative the mean of its position-free keys; the question's pooled query picks blocks per
layer by dot product; they are read at contiguous positions. As in its public code the newest frames are not read unless
they are among the best. Different here: the question is encoded once without the video, not layer by layer against what
earlier layers retrieved.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from memory.kv import TimeSpan
from memory.readers.base import Choice, Shelf, join, nearest_pages, within


@dataclass(frozen=True, slots=True)
class ReKV:
    """blocks: how many frames a layer reads. page_tokens: tokens of a frame."""

    page_tokens: int
    blocks: int = 64

    def choose(self, shelf: Shelf, query: Tensor, span: TimeSpan | None) -> Choice:
        """The best blocks of the long-term tier; while it holds no whole block yet, all there is."""
        blocks = nearest_pages(shelf, query, self.blocks, span)
        if blocks.shape[1] == 0:
            return join(shelf, within(shelf, shelf.long, span), within(shelf, shelf.short, span))
        return join(shelf, blocks, torch.zeros(query.shape[0], 0, dtype=torch.long))
