"""The highest attention scores (in the manner of SnapKV, arXiv 2404.14469).

Scores are the attention of the newest tokens, SnapKV's observation window, averaged over neighbouring tokens so that what
stays comes in clusters, as there; then the highest stay. The same scores as Vision Sink Bucketing's, without its buckets:
what the two differ by is the spread over the stream. Different from SnapKV: the prompt that it compresses once is here a
stream that is compressed again and again, neighbours are neighbours among what is still held, and the heads of a layer
choose together.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import avg_pool1d

from memory.retention.base import Kept, LongTerm, best


@dataclass(frozen=True, slots=True)
class TopScores:
    """pool_tokens: over how many neighbouring tokens, itself in the middle, a score is averaged; odd."""

    pool_tokens: int = 5
    bounded = True

    def __post_init__(self) -> None:
        assert self.pool_tokens % 2 == 1 and self.pool_tokens >= 1, self.pool_tokens

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """The best of each layer. Ties go to the older token."""
        if budget >= len(memory):
            return Kept(memory.everything)
        return Kept(best(pooled(memory.attention(), self.pool_tokens), budget))


def pooled(scores: Tensor, width: int) -> Tensor:
    """Scores (L, N) -> each the mean of those around it (L, N); at the ends, of those that are there."""
    return avg_pool1d(scores[:, None], width, 1, width // 2, count_include_pad=False)[:, 0]
