"""Pages: runs of C consecutive long-term tokens, each represented by the mean of its position-free keys.

Position-agnostic Retrieval (PaR; LiveVLM v2, arXiv 2505.15269, method section on PaR): page size 16, representative =
mean key. A position in the keys would make near pages win over relevant ones (its Table 1), so the means are taken
before rotation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from memory.index import Found, PageIndex


class PageTable:
    """The representatives of the whole pages of a token range that starts at a fixed place, held in an index.

    Pages are appended as the range grows; after a compaction of the range `reset` starts it over. The representative of
    a page of layer l is its mean key of all kv heads, (G * D,), float32.
    """

    def __init__(self, index: PageIndex, page_tokens: int) -> None:
        assert page_tokens >= 1, page_tokens
        self.page_tokens = page_tokens
        self._index = index
        self._pages = 0

    def __len__(self) -> int:
        return self._pages

    @property
    def nbytes(self) -> int:
        """Bytes of the representatives."""
        return self._index.nbytes

    def reset(self) -> None:
        """Forget all pages: the range was compacted."""
        self._index.clear()
        self._pages = 0

    def sync(self, keys: Tensor) -> None:
        """Add the pages that the range (L, G, N, D) has grown by; a last page that is not full yet waits."""
        whole = keys.shape[2] // self.page_tokens
        if whole > self._pages:
            fresh = keys[:, :, self._pages * self.page_tokens : whole * self.page_tokens]
            self._index.add(page_means(fresh, self.page_tokens))
            self._pages = whole

    def best(self, query: Tensor, count: int, allowed: Tensor | None = None) -> Found:
        """Per layer the `count` best pages for the query (L, G * D), best first.

        allowed: (L, pages) bool; each layer must allow at least `count`.
        """
        assert count <= self._pages, (count, self._pages)
        return self._index.search(query, count, allowed)


def page_means(keys: Tensor, page_tokens: int) -> Tensor:
    """Keys (L, G, P * C, D) -> representatives (L, P, G * D), float32."""
    layers, kv_heads, tokens, head_dim = keys.shape
    pages = tokens // page_tokens
    means = keys.reshape(layers, kv_heads, pages, page_tokens, head_dim).float().mean(dim=3)
    return means.permute(0, 2, 1, 3).reshape(layers, pages, kv_heads * head_dim)


def pooled_query(queries: Tensor, kv_heads: int) -> Tensor:
    """A question's position-free queries (L, H, N, D) -> (L, G * D): mean over its tokens, and over the heads that share a kv
    head.

    The dot product with a representative is then the mean attention logit of all query heads, up to a constant factor.
    """
    layers, heads, _, head_dim = queries.shape
    mean = (
        queries.float().mean(dim=2).view(layers, kv_heads, heads // kv_heads, head_dim).mean(dim=2)
    )
    return mean.reshape(layers, kv_heads * head_dim)


def page_tokens_of(pages: Tensor, page_tokens: int) -> Tensor:
    """Page numbers (L, P) -> the places of their tokens (L, P * C), in the same order."""
    within = torch.arange(page_tokens, device=pages.device)
    return (pages[:, :, None] * page_tokens + within).flatten(1)
