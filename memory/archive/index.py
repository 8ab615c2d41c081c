"""ArchiveIndex: which pages of the archive have the largest dot product with a query, however many pages there are.

The newest pages of a layer are searched one by one. Whenever there are `flat_pages` of them, they become a stretch: k-means
splits it into small cells of pages that are alike, and FAISS's inverted lists hold them. A search looks into the cells with the
best centres, wherever in the stream they lie, until it has seen a share of the pages that are allowed.

Why stretches, and not one index that is trained again as it grows: later pages of a stream are not like its first ones. Cells
that were made for the first quarter find half of what there is to find (`livevlm bench index`, kind "ivf"). A stretch is
divided by its own pages, once; nothing that comes later can spoil it, the work at a time is bounded, forgetting the oldest
pages is dropping whole stretches, and a narrow range of time leaves out the stretches outside it. All is in host memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

CELL_PAGES = 32  # a cell's pages on average; of 32, 64 and 128 the smallest finds most for the pages looked at
ROUNDS = 4  # of k-means; ten find no more
SEED = 1


class ArchiveIndex:
    """One index a layer over the mean keys of pages, by their ids; inner product.

    flat_pages: up to so many pages are searched exactly. (Layers make their stretches in turns, at one to two times as many, so
    that no `add` has to do it for all of them.)
    share, least: of the pages allowed this share is looked at, and at least so many; with fewer allowed the search is exact.
    With the defaults recall@25 on streams that drift is at least 0.95.
    """

    def __init__(
        self,
        layers: int,
        dim: int,
        *,
        flat_pages: int = 8192,
        share: float = 0.05,
        least: int = 2048,
    ) -> None:
        assert layers >= 1 and dim >= 1 and flat_pages >= 1, (layers, dim, flat_pages)
        assert 0 < share <= 1 and least >= 0, (share, least)
        self._layers = [
            _Layer(dim, flat_pages, flat_pages * layer // layers) for layer in range(layers)
        ]
        self._dim, self._share, self._least = dim, share, least
        self.clear()

    def __len__(self) -> int:
        """How many pages can be found."""
        return self._layers[0].count(self._low)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors and of what is kept to find them; pages that are hidden but not yet removed count too."""
        return sum(layer.nbytes for layer in self._layers)

    def clear(self) -> None:
        """Drop all pages; ids may begin anywhere again."""
        for layer in self._layers:
            layer.clear()
        self._low = self._next = np.iinfo(np.int64).min

    def add(self, first_id: int, vectors: Tensor) -> None:
        """Add pages first_id .. first_id + P - 1 with vectors (L, P, E), float32; ids rise from call to call."""
        layers, pages, dim = vectors.shape
        assert (layers, dim) == (len(self._layers), self._dim), vectors.shape
        assert first_id >= self._next, f"page {first_id} after page {self._next - 1}"
        ids = np.arange(first_id, first_id + pages, dtype=np.int64)
        rows = vectors.detach().float().cpu().numpy()
        for layer, of_layer in zip(self._layers, rows, strict=True):
            layer.add(ids, np.ascontiguousarray(of_layer))
        self._next = first_id + pages

    def search(self, query: Tensor, count: int, low: int, high: int) -> tuple[Tensor, Tensor]:
        """Query (L, E) -> scores (L, count) float32 and ids (L, count) int64 of pages low <= id < high, best first.

        Where a layer has fewer: score -inf, id -1. Both are on the query's device.
        """
        assert query.shape == (len(self._layers), self._dim), query.shape
        assert count >= 1, count
        want = _Want(count, max(low, self._low), high, self._share, self._least)
        found = [
            layer.search(np.ascontiguousarray(row), want)
            for layer, row in zip(self._layers, query.detach().float().cpu().numpy(), strict=True)
        ]
        scores, ids = (torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True))
        return scores.to(query.device), ids.to(query.device)

    def drop_below(self, page_id: int) -> None:
        """Pages with smaller ids are never found again.

        Their memory is given back a stretch at a time, and that of pages in no stretch when they are a quarter of those.
        """
        self._low = max(self._low, page_id)
        for layer in self._layers:
            layer.drop_below(self._low)


@dataclass(frozen=True, slots=True)
class _Want:
    """The `count` best pages of low <= id < high, from a look at a share of them, `least` at least."""

    count: int
    low: int
    high: int
    share: float
    least: int

    def slice_of(self, ids: Ids) -> slice:
        """Where the allowed ones lie among rising ids."""
        start = int(np.searchsorted(ids, self.low))
        return slice(start, max(start, int(np.searchsorted(ids, self.high))))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Pages that are divided into cells for good; cell_of (P,) and ids (P,) in stream order, sizes (C,)."""

    index: faiss.IndexIVFFlat
    probe: faiss.IndexFlatIP  # the centres, by which `index` chooses cells
    cell_of: NDArray[np.int32]
    all_sizes: Ids
    ids: Ids

    @property
    def nbytes(self) -> int:
        """Bytes held; FAISS has ids of its own."""
        lists = self.index.ntotal * (self.index.code_size + 8)
        own = self.cell_of.nbytes + self.all_sizes.nbytes + self.ids.nbytes
        return lists + own + self.probe.ntotal * self.probe.d * 4

    @property
    def centres(self) -> Floats:
        """The cells' centres (C, E)."""
        found: Floats = self.probe.reconstruct_n(0, self.probe.ntotal)
        return found

    def sizes(self, want: _Want) -> Ids:
        """How many of the allowed pages each cell holds, (C,)."""
        if want.low <= self.ids[0] and self.ids[-1] < want.high:
            return self.all_sizes
        return np.bincount(self.cell_of[want.slice_of(self.ids)], minlength=self.probe.ntotal)

    def search(self, query: Floats, want: _Want, cells: int) -> tuple[Floats, Ids]:
        """The best of the `cells` best cells: scores and ids, fewer than wanted if there are fewer."""
        # Pages lie in each list in the order of their ids, so FAISS need not look at each to know which are allowed.
        allowed = faiss.IDSelectorRange(want.low, want.high, True)
        parameters = faiss.SearchParametersIVF(nprobe=cells, sel=allowed)  # type: ignore[call-arg]
        scores, ids = self.index.search(query[None], want.count, params=parameters)
        return scores[ids >= 0], ids[ids >= 0]


def _divide(rows: Floats, ids: Ids) -> _Stretch:
    """Make a stretch of pages.

    Pages go to the nearest centre, queries to the centre with the largest product: with products for both, long centres would
    swallow everything.
    """
    cells, dim = max(1, len(rows) // CELL_PAGES), rows.shape[1]
    means = faiss.Kmeans(
        dim, cells, niter=ROUNDS, seed=SEED, min_points_per_centroid=1, max_points_per_centroid=len(rows)
    )  # fmt: skip
    means.train(rows)
    probe = faiss.IndexFlatIP(dim)
    probe.add(means.index.reconstruct_n(0, cells))
    index = faiss.IndexIVFFlat(probe, dim, cells, faiss.METRIC_INNER_PRODUCT)
    index.quantizer = means.index
    index.add_with_ids(rows, ids)
    index.quantizer = probe
    cell_of = means.index.search(rows, 1)[1][:, 0].astype(np.int32)
    return _Stretch(index, probe, cell_of, np.bincount(cell_of, minlength=cells), ids)


class _Layer:
    """A layer's stretches, oldest first, and the pages behind them.

    A stretch is made when `wait` pages more than it takes are there.
    """

    def __init__(self, dim: int, stretch_pages: int, wait: int) -> None:
        self._stretch_pages, self._wait = stretch_pages, wait
        self._tail = faiss.IndexFlatIP(dim)
        self.clear()

    @property
    def nbytes(self) -> int:
        """Bytes of all pages, hidden ones too."""
        tail = self._tail.ntotal * self._tail.d * 4 + self._tail_ids.nbytes
        return tail + sum(stretch.nbytes for stretch in self._stretches) + self._centres.nbytes

    def count(self, low: int) -> int:
        """How many pages have at least this id."""
        every = [*(stretch.ids for stretch in self._stretches), self._tail_ids]
        return sum(len(ids) - int(np.searchsorted(ids, low)) for ids in every)

    def clear(self) -> None:
        """Drop all pages."""
        self._tail.reset()
        self._tail_ids: Ids = np.empty(0, np.int64)
        self._hold([])

    def add(self, ids: Ids, rows: Floats) -> None:
        """Add pages; make stretches of what is too much."""
        self._tail.add(rows)
        self._tail_ids = np.concatenate((self._tail_ids, ids))
        while len(self._tail_ids) >= self._stretch_pages + self._wait:
            first = self._tail.reconstruct_n(0, self._stretch_pages)
            stretch = _divide(first, self._tail_ids[: self._stretch_pages].copy())
            self._forget(self._stretch_pages)
            self._hold([*self._stretches, stretch])

    def drop_below(self, low: int) -> None:
        """Give back what holds only smaller ids."""
        if self._stretches and self._stretches[0].ids[-1] < low:
            self._hold([stretch for stretch in self._stretches if stretch.ids[-1] >= low])
        hidden = int(np.searchsorted(self._tail_ids, low))
        if 4 * hidden >= max(1, len(self._tail_ids)):
            self._forget(hidden)

    def search(self, query: Floats, want: _Want) -> tuple[Floats, Ids]:
        """The best pages: scores (count,) and ids (count,)."""
        found = [self._search_tail(query, want)]
        found += [
            stretch.search(query, want, cells) for stretch, cells in self._probes(query, want)
        ]
        scores, ids = (np.concatenate(part) for part in zip(*found, strict=True))
        best = np.lexsort((ids, -scores))[: want.count]
        all_scores = np.full(want.count, -math.inf, np.float32)
        all_ids = np.full(want.count, -1, np.int64)
        all_scores[: len(best)], all_ids[: len(best)] = scores[best], ids[best]
        return all_scores, all_ids

    def _search_tail(self, query: Floats, want: _Want) -> tuple[Floats, Ids]:
        """Every page that is in no stretch yet."""
        allowed = want.slice_of(self._tail_ids)
        selector = faiss.IDSelectorRange(allowed.start, allowed.stop)
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
        scores, places = self._tail.search(query[None], want.count, params=parameters)
        return scores[places >= 0], self._tail_ids[places[places >= 0]]

    def _probes(self, query: Floats, want: _Want) -> list[tuple[_Stretch, int]]:
        """Which stretches to look into, and how many cells of each: the best of all cells that hold allowed pages."""
        start = int(np.searchsorted(self._ends, want.low))
        stop = int(np.searchsorted(self._begins, want.high))
        if start >= stop:
            return []
        sizes = self._sizes[start:stop].copy()
        for place in {start, stop - 1}:
            sizes[place - start] = self._stretches[place].sizes(want)
        scores = self._centres[start:stop] @ query
        order = np.argsort(-scores, axis=None)
        seen = np.cumsum(sizes.ravel()[order])
        enough = int(np.searchsorted(seen, max(want.least, want.share * int(seen[-1]))))
        bound = scores.ravel()[order[enough]] if enough < len(order) else -math.inf
        cells = (scores >= bound).sum(axis=1)
        return [
            (self._stretches[start + int(near)], int(cells[near])) for near in cells.nonzero()[0]
        ]

    def _hold(self, stretches: list[_Stretch]) -> None:
        """These are the stretches now; their centres are scored in one product."""
        self._stretches = stretches
        self._centres: Floats = np.empty((0, 1, self._tail.d), np.float32)
        self._sizes: Ids = np.empty((0, 1), np.int64)
        self._begins = np.asarray([stretch.ids[0] for stretch in stretches], np.int64)
        self._ends = np.asarray([stretch.ids[-1] for stretch in stretches], np.int64)
        if stretches:
            self._centres = np.stack([stretch.centres for stretch in stretches])
            self._sizes = np.stack([stretch.all_sizes for stretch in stretches])

    def _forget(self, pages: int) -> None:
        """Take the oldest pages out of those behind the stretches."""
        self._tail.remove_ids(faiss.IDSelectorRange(0, pages))
        self._tail_ids = self._tail_ids[pages:].copy()
