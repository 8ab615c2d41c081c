"""The archive's page index against exact search in torch."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from memory.archive.index import ArchiveIndex

LAYERS, DIM = 2, 16
EVER = 2**62


def drifting(pages: int, seed: int = 0) -> Tensor:
    """Page means (LAYERS, pages, DIM) of a stream: scenes of 40 pages around a place that wanders, and a shared offset."""
    generator = torch.Generator().manual_seed(seed)
    scenes = -(-pages // 40)
    wander = torch.randn(LAYERS, scenes, DIM, generator=generator).cumsum(1) * 0.3
    places = wander + torch.randn(LAYERS, scenes, DIM, generator=generator) + 3
    noise = torch.randn(LAYERS, pages, DIM, generator=generator)
    return places.repeat_interleave(40, dim=1)[:, :pages] + 0.4 * noise


def asked(vectors: Tensor, seed: int) -> Tensor:
    """A query (LAYERS, DIM) that resembles one page, as a question resembles what it asks about."""
    generator = torch.Generator().manual_seed(seed)
    page = int(torch.randint(vectors.shape[1], (), generator=generator))
    noise = torch.randn(LAYERS, DIM, generator=generator)
    return vectors[:, page] - vectors.mean(dim=1) + noise


def fill(index: ArchiveIndex, vectors: Tensor, *, step: int, first_id: int = 0) -> None:
    """Add the pages in pieces."""
    for start in range(0, vectors.shape[1], step):
        index.add(first_id + start, vectors[:, start : start + step])


def exact(
    vectors: Tensor, query: Tensor, count: int, low: int, high: int, first_id: int = 0
) -> tuple[Tensor, Tensor]:
    """The twin: all products in torch."""
    ids = torch.arange(first_id, first_id + vectors.shape[1])
    scores = torch.einsum("le,lpe->lp", query, vectors)
    scores = scores.masked_fill((ids < low) | (ids >= high), -math.inf)
    scores = torch.nn.functional.pad(scores, (0, count), value=-math.inf)
    best = scores.topk(count, dim=1)
    found = torch.nn.functional.pad(ids, (0, count), value=-1)[best.indices]
    return best.values, found.masked_fill(best.values == -math.inf, -1)


def same(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> bool:
    """Whether scores agree, and ids wherever no neighbour has the same score."""
    torch.testing.assert_close(found[0], wanted[0], atol=1e-3, rtol=1e-4)
    gap = wanted[0].diff(dim=1).abs() < 1e-2
    unlike = torch.nn.functional.pad(~gap, (1, 0), value=True) & torch.nn.functional.pad(
        ~gap, (0, 1)
    )
    missing = wanted[0] == -math.inf
    return bool(((found[1] == wanted[1]) | ~(unlike | missing)).all())


def recall(index: ArchiveIndex, vectors: Tensor, low: int = 0, high: int = EVER) -> float:
    """The share of the 25 best pages that is found, over 40 queries."""
    hits = 0
    for seed in range(40):
        query = asked(vectors, seed)
        _, found = index.search(query, 25, low, high)
        _, wanted = exact(vectors, query, 25, low, high)
        hits += sum(
            len(set(a) & set(b)) for a, b in zip(found.tolist(), wanted.tolist(), strict=True)
        )
    return hits / (40 * LAYERS * 25)


@settings(deadline=None, max_examples=60)
@given(
    pages=st.integers(1, 200),
    step=st.integers(1, 70),
    count=st.integers(1, 40),
    first_id=st.sampled_from([0, 7, 2**40]),
    reach=st.tuples(st.integers(-5, 210), st.integers(-5, 210)),
    seed=st.integers(0, 20),
)
def test_few_pages_are_searched_exactly(
    pages: int, step: int, count: int, first_id: int, reach: tuple[int, int], seed: int
) -> None:
    """Below the threshold the index is its exact twin, for any range, also an empty or a wrong one."""
    vectors = drifting(pages, seed)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=500)
    fill(index, vectors, step=step, first_id=first_id)
    query, low, high = asked(vectors, seed), first_id + reach[0], first_id + reach[1]
    found = index.search(query, count, low, high)
    assert same(found, exact(vectors, query, count, low, high, first_id))
    assert (found[0].dtype, found[1].dtype) == (torch.float32, torch.int64)
    assert len(index) == pages


@settings(deadline=None, max_examples=40)
@given(
    pages=st.integers(1, 700),
    step=st.integers(1, 300),
    reach=st.tuples(st.integers(0, 700), st.integers(0, 700)),
    dropped=st.integers(0, 700),
    seed=st.integers(0, 20),
)
def test_stretches_lose_nothing_when_all_of_them_is_looked_at(
    pages: int, step: int, reach: tuple[int, int], dropped: int, seed: int
) -> None:
    """With every cell looked at the index is exact wherever stretches begin and end, whatever the range and what was dropped.

    So no page is lost on its way into a stretch, and none is found twice.
    """
    vectors = drifting(pages, seed)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=64, share=1)
    fill(index, vectors, step=step)
    index.drop_below(dropped)
    query = asked(vectors, seed)
    found = index.search(query, 30, *reach)
    assert same(found, exact(vectors, query, 30, max(reach[0], dropped), reach[1]))
    assert len(index) == max(0, pages - dropped)


def test_recall_stays_while_the_stream_drifts() -> None:
    """Recall@25 is at least 0.95 however far the stream has gone from where it began, though a tenth is looked at."""
    vectors = drifting(6000)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=512, share=0.1, least=0)
    for start in range(0, 6000, 1500):
        fill(index, vectors[:, start : start + 1500], step=100, first_id=start)
        assert recall(index, vectors[:, : start + 1500]) >= 0.95, start


def test_most_pages_are_not_looked_at() -> None:
    """What bounds the work also bounds recall: looking at next to nothing finds less."""
    vectors = drifting(6000)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=512, share=0.001, least=0)
    fill(index, vectors, step=1500)
    assert recall(index, vectors) < 0.8


@pytest.mark.parametrize(("low", "high"), [(1000, 1100), (2000, 3000), (300, 5500), (5700, EVER)])
def test_a_range_of_time_keeps_recall(low: int, high: int) -> None:
    """A range is searched as well as everything is: what lies outside takes no places among the cells looked at."""
    vectors = drifting(6000)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=512, share=0.1, least=200)
    fill(index, vectors, step=1500)
    assert recall(index, vectors, low, high) >= 0.95


def test_a_narrow_range_is_searched_exactly() -> None:
    """A range of no more pages than are looked at anyway is exact, even over the border of two stretches."""
    vectors = drifting(3000)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=512, share=0.01, least=300)
    fill(index, vectors, step=1000)
    for low in (0, 400, 900, 2650, 2900):
        query = asked(vectors, low)
        found = index.search(query, 25, low, low + 300)
        assert same(found, exact(vectors, query, 25, low, low + 300))


def test_the_best_come_first() -> None:
    """Scores fall, whichever stretch they come from, and each is the product with the page of that id."""
    vectors = drifting(2000)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=256)
    fill(index, vectors, step=400)
    query = asked(vectors, 3)
    scores, ids = index.search(query, 50, 0, EVER)
    assert (scores.diff(dim=1) <= 0).all()
    of_ids = vectors.gather(1, ids[:, :, None].expand(-1, -1, DIM))
    torch.testing.assert_close(scores, torch.einsum("le,lpe->lp", query, of_ids))


def test_dropped_pages_never_come_back_and_give_back_memory() -> None:
    """Pages below the bound are hidden at once, their memory goes in time, and an older bound brings nothing back."""
    vectors = drifting(2000)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=256, share=1)
    fill(index, vectors, step=100)
    query, everything = asked(vectors, 1), index.nbytes
    for bound in (1, 150, 255, 256, 257, 1000, 500, 1999):
        index.drop_below(bound)
        _, ids = index.search(query, 2000, 0, EVER)
        reached = max(bound, 1000) if bound == 500 else bound
        assert ids[ids >= 0].min() == reached
        assert len(index) == 2000 - reached
    assert index.nbytes < everything / 100
    index.drop_below(2000)
    assert len(index) == 0
    assert index.search(query, 3, 0, EVER)[1].eq(-1).all()


def test_an_archive_that_forgets_as_fast_as_it_grows_stays_small() -> None:
    """In the long run what is hidden takes no more than a stretch, in every layer."""
    index = ArchiveIndex(LAYERS, DIM, flat_pages=64)
    vectors, sizes = drifting(4000), []
    for start in range(0, 4000, 20):
        index.add(start, vectors[:, start : start + 20])
        index.drop_below(start + 20 - 500)
        sizes.append(index.nbytes)
    assert len(index) == 500
    page = LAYERS * (DIM * 4 + 2 * DIM * 4 / 32 + 8 + 8 + 4 + 8)
    assert max(sizes) < (500 + 64 + 20) * page


def test_clearing_forgets() -> None:
    """After a clear nothing old is found, and ids may begin anywhere, also below the old bound."""
    vectors = drifting(300)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=64)
    fill(index, vectors, step=100, first_id=1000)
    index.drop_below(1200)
    index.clear()
    assert len(index) == index.nbytes == 0
    index.add(3, vectors[:, :2])
    assert sorted(index.search(vectors[:, 0], 3, 0, EVER)[1][0].tolist()) == [-1, 3, 4]


def test_ids_may_leave_gaps_and_never_fall() -> None:
    """Pages that were not kept leave gaps in the ids, inside a stretch too; an id that was given is not given again."""
    vectors = drifting(200)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=64, share=1)
    for start in range(0, 200, 10):
        index.add(100 * start, vectors[:, start : start + 10])
    _, ids = index.search(asked(vectors, 0), 200, 5000, 7010)
    assert sorted(ids[ids >= 0].unique().tolist()) == [
        100 * start + each for start in (50, 60, 70) for each in range(10)
    ]
    with pytest.raises(AssertionError, match="page 19005 after page 19009"):
        index.add(19005, vectors[:, :1])


def test_the_same_pages_give_the_same_answers() -> None:
    """Nothing is drawn at random: two indexes of the same pages agree to the bit."""
    vectors = drifting(1500)
    answers = []
    for _ in range(2):
        index = ArchiveIndex(LAYERS, DIM, flat_pages=256, share=0.02, least=0)
        fill(index, vectors, step=70)
        answers.append([index.search(asked(vectors, seed), 25, 100, 1400) for seed in range(10)])
    for one, other in zip(*answers, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_a_picture_that_stands_still_is_no_trouble() -> None:
    """Pages that are all the same have no clusters; they are all found."""
    vectors = torch.ones(LAYERS, 300, DIM)
    index = ArchiveIndex(LAYERS, DIM, flat_pages=128)
    fill(index, vectors, step=60)
    _, ids = index.search(torch.ones(LAYERS, DIM), 300, 0, EVER)
    assert ids.sort(dim=1).values.tolist() == [list(range(300))] * LAYERS


def test_large_offsets_do_not_spoil_recall() -> None:
    """Keys of some models share an offset many times as large as what tells pages apart."""
    vectors = drifting(3000) + 300 * torch.randn(
        1, 1, DIM, generator=torch.Generator().manual_seed(9)
    )
    index = ArchiveIndex(LAYERS, DIM, flat_pages=512, share=0.1, least=0)
    fill(index, vectors, step=500)
    assert recall(index, vectors) >= 0.95
