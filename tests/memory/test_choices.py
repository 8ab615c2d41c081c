"""What LiveVLM leaves open is a choice: pages of a layer or of all, positions on the way out, heads, full buckets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memory import (
    KeepAll,
    MemoryOptions,
    PositionAgnosticRetrieval,
    ReadAll,
    StreamMemory,
    Tiers,
    VisionSinkBucketing,
    attended,
)
from memory.archive.archive import Archive
from memory.archive.index import ArchiveIndex
from memory.index import ExactIndex
from memory.pages import PageTable, page_means
from memory.scoring import attention_mass
from tests.memory.making import ROPE, SHAPE, archive, block, long_term, memory, prompt, question


def shared(*, archived: bool = False, budget: int = 1000) -> StreamMemory:
    """A memory whose layers read the same pages."""
    options = MemoryOptions(
        budget_tokens=budget,
        short_term_frames=4,
        append_tokens=16,
        frame_tokens=4,
        shared_pages=True,
    )
    index = ArchiveIndex(1, SHAPE.layers * SHAPE.kv_heads * SHAPE.head_dim)
    store = StreamMemory(
        SHAPE,
        ROPE,
        prompt(),
        options,
        retention=VisionSinkBucketing() if archived else KeepAll(),
        reader=PositionAgnosticRetrieval(20, 4),
        archive=Archive(archive()._vault, index, shared=True) if archived else None,
    )
    for first in range(0, 40, 4):
        store.append(block(4, first=first))
    return store


@pytest.mark.parametrize("archived", [False, True])
def test_shared_pages_are_those_with_the_largest_mean(archived: bool) -> None:
    """All layers read the same frames: the ones whose products, meant over the layers, are largest."""
    found = shared(archived=archived, budget=24 if archived else 1000).recall(question())
    assert found.tiers.long + found.tiers.archive == 20
    everything = memory(KeepAll(), ReadAll())
    for first in range(0, 40, 4):
        everything.append(block(4, first=first))
    paged = everything.recall(question()).keys[:, :, 3 : 3 + 144].reshape(2, 2, 36, 4, 8)
    asked = question().mean(2).reshape(2, 2, 2, 8).mean(2)
    best = torch.einsum("lgpd,lgd->p", paged.mean(3), asked).topk(5).indices.sort().values
    assert torch.equal(found.keys[:, :, 3:23], paged[:, :, best].reshape(2, 2, 20, 8))


def test_a_score_of_all_layers_is_the_mean_of_theirs() -> None:
    """What is ranked together has one scale: pages of the device and of the archive, and shares made of either."""
    store = shared(archived=True, budget=24)
    assert store.archive is not None
    pages = store.archive.pages(None, store.appended)
    query = torch.randn(SHAPE.layers, 16, generator=torch.Generator().manual_seed(1))
    found = store.archive.search(query, 3, pages)
    means = page_means(store.archive.read(found.pages).keys, 4)
    torch.testing.assert_close(
        found.scores, torch.einsum("lpe,le->p", means, query).expand(2, -1) / SHAPE.layers
    )
    table = PageTable(ExactIndex(1, 32, torch.device("cpu")), 4, shared=True)
    table.sync(store.archive.read(found.pages).keys)
    torch.testing.assert_close(table.best(query, 3).scores, found.scores)


def test_shared_pages_obey_a_time_range() -> None:
    """Pages that any layer may not read, none reads."""
    found = shared().recall(question(), (10.0, 30.0))
    assert found.tiers.video > 0
    assert found.times[:, 3:].min() >= 10
    assert found.times[:, 3:].max() <= 30


def test_positions_on_the_way_out() -> None:
    """Contiguous closes the gaps, original keeps them, scaled draws them together once they do not fit; none changes a key."""
    store = memory(
        VisionSinkBucketing(), PositionAgnosticRetrieval(20, 4), budget=24, archive=archive()
    )
    for first in range(0, 40, 4):
        store.append(block(4, first=first))
    found = store.recall(question())
    places, following = found.places()
    assert places[0].tolist() == list(range(len(found)))
    assert following == len(found)
    original = replace(found, positions="original")
    places, following = original.places()
    assert torch.equal(places, found.numbers.double())
    assert following == 3 + 160
    assert (places.diff() > 0).all()
    scaled, behind = replace(found, positions="scaled", most_positions=128 + 81.5 * 1).places()
    assert behind == 81.5
    torch.testing.assert_close(scaled * 2, places)
    roomy, after = replace(found, positions="scaled", most_positions=1000).places()
    assert torch.equal(roomy, places)
    assert after == following


def test_evidence_is_counted_at_the_positions_that_an_answer_has() -> None:
    """Where positions matter, they change what is looked at."""
    store = memory(KeepAll(), ReadAll())
    for first in range(0, 8, 4):
        store.append(block(4, first=first))
    found = store.recall(question())
    gap = found.numbers.clone()
    gap[:, 20:] += 50
    moved = replace(found, numbers=gap, positions="original")
    asked = question()[:, :, -1:]
    assert torch.equal(
        attended(replace(found, positions="original"), ROPE, asked), attended(found, ROPE, asked)
    )
    assert not torch.allclose(attended(moved, ROPE, asked), attended(found, ROPE, asked))
    assert found.tiers == Tiers(prompt=3, long=16, short=16)


def test_the_head_that_looks_most_may_decide() -> None:
    """max: a token that one head stares at scores more than one that all glance at."""
    keys = torch.zeros(1, 3, 4)
    keys[0, 0, 0], keys[0, 1, 1] = 8.0, 4.0
    queries = torch.zeros(2, 1, 4)
    queries[0, 0, 0] = 8.0
    queries[1, 0, 1] = 1.0
    mean = attention_mass(queries, keys, own=False)
    most = attention_mass(queries, keys, own=False, heads="max")
    each = torch.stack([attention_mass(one[None], keys, own=False) for one in queries])
    torch.testing.assert_close(mean, each.mean(0))
    torch.testing.assert_close(most, each.amax(0))


def test_a_full_bucket_may_refuse_even_the_best() -> None:
    """Without overfilling, neighbours compete: of two top scores in one bucket one stays."""
    scores = torch.tensor([[9.0, 8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    shown = long_term([1] * 8, scores=scores)
    assert VisionSinkBucketing(top_ratio=0.5).keep(shown, 4).places.tolist() == [[0, 1, 5, 7]]
    strict = VisionSinkBucketing(top_ratio=0.5, overfill=False)
    assert strict.keep(shown, 4).places.tolist() == [[0, 3, 5, 7]]
