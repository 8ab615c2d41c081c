"""PageIndex: find the pages whose representatives have the largest dot product with a query. FAISS,
and its exact twin in torch.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import faiss
import numpy as np
import torch
from torch import Tensor

IndexKind = Literal["auto", "exact", "faiss"]


class Found(NamedTuple):
    """Pages, best first: dot products (L, count), float32, and the pages' numbers (L, count)."""

    scores: Tensor
    pages: Tensor


class PageIndex(Protocol):
    """One index a layer, of vectors that are numbered from 0 in the order of their coming."""

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        ...

    def clear(self) -> None:
        """Drop all vectors."""
        ...

    def add(self, vectors: Tensor) -> None:
        """Add vectors (L, P, E), float32."""
        ...

    def search(self, query: Tensor, count: int, allowed: Tensor | None) -> Found:
        """Query (L, E) -> the `count` largest dot products of each layer, best first, on the query's device."""
        ...


def page_index(kind: IndexKind, layers: int, dim: int, device: torch.device) -> PageIndex:
    """The index of that kind. "auto": exact on an accelerator, where the vectors already are; FAISS on the host."""
    if kind == "exact" or (kind == "auto" and device.type != "cpu"):
        return ExactIndex(layers, dim, device)
    return FaissIndex(layers, dim)


class ExactIndex:
    """All dot products, in torch: the reference."""

    def __init__(self, layers: int, dim: int, device: torch.device) -> None:
        self._vectors = torch.zeros(layers, 64, dim, device=device)
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors, allocated whether used or not."""
        return self._vectors.nbytes

    def clear(self) -> None:
        """Drop all vectors."""
        self._count = 0

    def add(self, vectors: Tensor) -> None:
        """Add vectors (L, P, E); the buffer doubles when full."""
        stop = self._count + vectors.shape[1]
        if stop > self._vectors.shape[1]:
            bigger = self._vectors.new_zeros(
                vectors.shape[0], max(stop, 2 * self._vectors.shape[1]), vectors.shape[2]
            )
            bigger[:, : self._count] = self._vectors[:, : self._count]
            self._vectors = bigger
        self._vectors[:, self._count : stop] = vectors
        self._count = stop

    def search(self, query: Tensor, count: int, allowed: Tensor | None) -> Found:
        """As the protocol says."""
        scores = torch.einsum(
            "le,lpe->lp", query.to(self._vectors), self._vectors[:, : self._count]
        )
        if allowed is not None:
            scores = scores.masked_fill(~allowed.to(scores.device), -math.inf)
        best = scores.topk(count, dim=1)
        return Found(best.values.to(query.device), best.indices.to(query.device))


class FaissIndex:
    """FAISS flat inner-product indexes, one a layer: exact as well, with filters and room for what comes behind (IVF, HNSW)."""

    def __init__(self, layers: int, dim: int) -> None:
        self._dim = dim
        self._indexes = [faiss.IndexFlatIP(dim) for _ in range(layers)]

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return sum(index.ntotal for index in self._indexes) * self._dim * 4

    def clear(self) -> None:
        """Drop all vectors."""
        for index in self._indexes:
            index.reset()

    def add(self, vectors: Tensor) -> None:
        """Add vectors (L, P, E)."""
        for index, rows in zip(self._indexes, vectors.float().cpu().numpy(), strict=True):
            index.add(np.ascontiguousarray(rows))

    def search(self, query: Tensor, count: int, allowed: Tensor | None) -> Found:
        """As the protocol says."""
        scores, pages = [], []
        for layer, (index, vector) in enumerate(
            zip(self._indexes, query.float().cpu().numpy(), strict=True)
        ):
            parameters = None
            if allowed is not None:
                ids = allowed[layer].nonzero().flatten().cpu().numpy().astype(np.int64)
                parameters = faiss.SearchParameters(sel=faiss.IDSelectorBatch(ids))  # type: ignore[call-arg]
            products, numbers = index.search(vector[None], count, params=parameters)
            scores.append(torch.from_numpy(products[0]))
            pages.append(torch.from_numpy(numbers[0]))
        return Found(torch.stack(scores).to(query.device), torch.stack(pages).to(query.device))
