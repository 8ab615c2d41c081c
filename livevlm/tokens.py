"""FrameTokens: a frame as the language model sees it. From here on the pixels are gone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class FrameTokens:
    """number: the running number of the frame among those encoded. embeds: (N, hidden), N at least 1."""

    number: int
    pts_s: float
    captured_utc: float
    embeds: Tensor

    def __post_init__(self) -> None:
        assert self.embeds.ndim == 2 and len(self.embeds) >= 1, self.embeds.shape
