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

    shared: all layers choose the same pages, those with the largest mean of their products: the index is of one layer whose
    representatives are those of all layers, one after the other.
    """

    def __init__(self, index: PageIndex, page_tokens: int, *, shared: bool = False) -> None:
        assert page_tokens >= 1, page_tokens
        self.page_tokens = page_tokens
        self._index, self._shared = index, shared
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
            means = page_means(fresh, self.page_tokens)
            self._index.add(folded(means) if self._shared else means)
            self._pages = whole

    def available(self, allowed: Tensor) -> int:
        """Of how many pages `best` may choose at most, of those allowed (L, pages)."""
        return int((allowed.all(0) if self._shared else allowed).sum(-1).min())

    def best(self, query: Tensor, count: int, allowed: Tensor | None = None) -> Found:
        """Per layer the `count` best pages for the query (L, G * D), best first.

        allowed: (L, pages) bool; at least `count` must be `available`.
        """
        assert count <= self._pages, (count, self._pages)
        if not self._shared:
            return self._index.search(query, count, allowed)
        # A page may be taken that all layers allow; compaction leaves differently old tokens in them.
        together = None if allowed is None else allowed.all(0, keepdim=True)
        found = self._index.search(asked_together(query), count, together)
        return Found(*(part.expand(len(query), -1) for part in found))


def page_means(keys: Tensor, page_tokens: int) -> Tensor:
    """Keys (L, G, P * C, D) -> representatives (L, P, G * D), float32."""
    layers, kv_heads, tokens, head_dim = keys.shape
    pages = tokens // page_tokens
    means = keys.reshape(layers, kv_heads, pages, page_tokens, head_dim).float().mean(dim=3)
    return means.permute(0, 2, 1, 3).reshape(layers, pages, kv_heads * head_dim)


def folded(vectors: Tensor) -> Tensor:
    """Vectors of layers (L, P, E) -> of one layer that is all of them, (1, P, L * E)."""
    return vectors.transpose(0, 1).flatten(1)[None]


def asked_together(query: Tensor) -> Tensor:
    """A query (L, E) -> the one (1, L * E) whose product with a folded representative is the mean of the layers' products."""
    return folded(query[:, None])[:, 0] / len(query)


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
