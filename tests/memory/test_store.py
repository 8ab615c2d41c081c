"""StreamMemory: tiers, budget, and that reading changes nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import (
    KeepAll,
    PositionAgnosticRetrieval,
    ReadAll,
    Reader,
    ReKV,
    StreamMemory,
    Tiers,
    VisionSinkBucketing,
    attended,
    evidence,
)
from tests.memory.making import ROPE, SHAPE, block, memory, question


def filled(store: StreamMemory, frames: int, *, tokens: int = 4) -> StreamMemory:
    """So many frames, one at a time."""
    for number in range(frames):
        store.append(block(1, first=number, tokens=tokens))
    return store


def contents(store: StreamMemory) -> list[torch.Tensor]:
    """Everything that an answer could be given from."""
    context = store.context()
    return [context.keys.clone(), context.values.clone(), store.frames.clone()]


def test_tiers_follow_the_newest_frames() -> None:
    """The newest frames are short-term, the rest long-term, the prompt stays in front."""
    store = filled(memory(KeepAll(), ReadAll()), 10)
    assert store.tiers == Tiers(prompt=3, long=24, short=16)
    assert store.frames[0, -16:].tolist() == [frame for frame in range(6, 10) for _ in range(4)]


@settings(deadline=None, max_examples=25)
@given(chunks=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=40))
def test_budget_order_and_newest_frames_hold_whatever_comes(chunks: list[tuple[int, int]]) -> None:
    """Whatever sizes of frames come: the budget holds, order holds, no token doubles, the newest four frames are all there."""
    store = memory(VisionSinkBucketing(), ReadAll(), budget=30, frame_tokens=6)
    number, sizes = 0, []
    for frames, tokens in chunks:
        store.append(block(frames, first=number, tokens=tokens))
        number += frames
        sizes += [tokens] * frames
        assert store.tiers.long <= 30
        assert store.tiers.short == sum(sizes[-4:])
        for layer in store.frames[:, 3:]:
            assert (layer.diff() >= 0).all()
            counts = layer.unique(return_counts=True)
            assert all(
                count <= sizes[frame]
                for frame, count in zip(*(part.tolist() for part in counts), strict=True)
            )


def test_ten_thousand_appends_stay_within_the_same_bytes() -> None:
    """A stream of any length leaves the tensors as they were allocated."""
    store = memory(VisionSinkBucketing(), ReadAll(), budget=32, short=4, chunk=1)
    size = store.stats().device_bytes
    for number in range(10_000):
        store.append(block(1, first=number))
        assert store.tiers.long <= 32
    assert store.stats().device_bytes == size
    assert store.stats().evicted_tokens == 10_000 * 4 - 32 - 16


def test_a_budget_that_is_not_exceeded_changes_nothing() -> None:
    """Vision Sink Bucketing with room for all keeps exactly what keeping everything keeps."""
    kept, bounded = (
        filled(memory(rule, ReadAll(), budget=200), 20)
        for rule in (KeepAll(), VisionSinkBucketing())
    )
    for one, other in zip(contents(kept), contents(bounded), strict=True):
        assert torch.equal(one, other)


def test_eviction_ranks_by_rotated_attention_of_the_newest_queries() -> None:
    """What stays of long-term memory is what the newest queries, at their positions, attend to most."""
    store = filled(
        memory(
            VisionSinkBucketing(bucket_capacity=8, top_ratio=1.0),
            ReadAll(),
            budget=8,
            short=1,
            chunk=1,
        ),
        3,
    )
    before, fresh = store.context().keys.clone(), block(1, first=3)
    store.append(fresh)
    keys = torch.cat((before, fresh.keys), dim=2)
    for layer in range(2):
        rotated = ROPE.rotate(keys[layer], torch.arange(19)).repeat_interleave(2, dim=0)
        asked = ROPE.rotate(fresh.queries[layer], torch.arange(16, 19))
        logits = asked @ rotated.transpose(1, 2) / 8**0.5
        logits = logits.masked_fill(torch.ones(3, 19, dtype=torch.bool).triu(17), -torch.inf)
        best = logits.softmax(-1).mean(dim=(0, 1))[3:15].topk(8).indices.sort().values + 3
        torch.testing.assert_close(store.context().keys[layer, :, 3:11], keys[layer][:, best])


READERS: list[Reader] = [
    ReadAll(),
    PositionAgnosticRetrieval(32),
    PositionAgnosticRetrieval(20, 4),
    ReKV(4, 3),
]


@pytest.mark.parametrize("reader", READERS, ids=["all", "par", "par-small", "rekv"])
@pytest.mark.parametrize("span", [None, (3.0, 12.0)])
def test_asking_leaves_the_memory_bit_identical(
    reader: Reader, span: tuple[float, float] | None
) -> None:
    """A question changes nothing: the next chunk and the next question see the very same memory."""
    store = filled(memory(VisionSinkBucketing(), reader), 40)
    before = contents(store)
    first = store.recall(question(), span)
    second = store.recall(question(), span)
    for one, other in zip(before, contents(store), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(first.keys, second.keys)
    assert torch.equal(first.times, second.times)


@pytest.mark.parametrize("reader", READERS, ids=["all", "par", "par-small", "rekv"])
def test_a_recall_is_not_disturbed_by_later_writes(reader: Reader) -> None:
    """Frames that come while an answer is under way do not reach into what it reads."""
    store = filled(memory(VisionSinkBucketing(), reader), 40)
    recall = store.recall(question())
    keys, values, times = recall.keys.clone(), recall.values.clone(), recall.times.clone()
    for number in range(40, 60):
        store.append(block(1, first=number))
    assert torch.equal(recall.keys, keys)
    assert torch.equal(recall.values, values)
    assert torch.equal(recall.times, times)


def test_retrieving_everything_equals_no_retrieval() -> None:
    """At a retrieval ratio of 1 the pages are the memory."""
    everything, pages = (
        filled(memory(VisionSinkBucketing(), reader), 60).recall(question())
        for reader in (ReadAll(), PositionAgnosticRetrieval(64))
    )
    assert everything.tiers == pages.tiers
    assert torch.equal(everything.keys, pages.keys)
    assert torch.equal(everything.values, pages.values)


def test_pages_are_the_best_by_mean_logit_in_stream_order() -> None:
    """Each layer reads its own best whole pages, then the unfinished page, then the short-term tier."""
    store = filled(memory(KeepAll(), PositionAgnosticRetrieval(20, 4)), 40, tokens=3)
    recall = store.recall(question())
    assert recall.tiers == Tiers(prompt=3, long=20, short=12)
    long = store.context().keys[:, :, 3 : 3 + 108]
    for layer in range(2):
        means = long[layer].reshape(2, 27, 4, 8).mean(2)
        asked = question()[layer].mean(1).reshape(2, 2, 8).mean(1)
        best = torch.einsum("gpd,gd->p", means, asked).topk(5).indices.sort().values
        expected = long[layer].reshape(2, 27, 4, 8)[:, best].reshape(2, 20, 8)
        assert torch.equal(recall.keys[layer, :, 3:23], expected)
        assert (recall.times[layer, 3:].diff() >= 0).all()


@pytest.mark.parametrize("reader", READERS, ids=["all", "par", "par-small", "rekv"])
@pytest.mark.parametrize("span", [(10.0, 14.0), (2.5, 33.0), (30.0, 39.0)])
def test_a_time_range_is_obeyed(reader: Reader, span: tuple[float, float]) -> None:
    """Nothing from outside the asked time is read, all of it or pages of it; a time never seen gives none."""
    store = filled(memory(KeepAll(), reader, budget=1000), 40)
    recall = store.recall(question(), span)
    video = recall.times[:, recall.tiers.prompt :]
    assert video.numel() > 0
    assert video.min() >= span[0]
    assert video.max() <= span[1]
    assert store.recall(question(), (100.0, 200.0)).tiers.video == 0


def test_rekv_reads_the_best_frames_only() -> None:
    """ReKV reads so many whole frames a layer and nothing else but the prompt."""
    recall = filled(memory(KeepAll(), ReKV(4, 3), short=0), 40).recall(question())
    assert recall.tiers == Tiers(prompt=3, long=12, short=0)
    for layer in recall.frames[:, 3:]:
        assert layer.unique(return_counts=True)[1].tolist() == [4, 4, 4]


def test_evidence_names_the_frame_that_was_looked_at() -> None:
    """The frame whose keys match the question comes first, with its times, its tier and the larger share;
    shares sum to at most one.
    """
    store = filled(memory(KeepAll(), ReadAll()), 5)
    asked = question()
    marked = block(1, first=5)
    aligned = asked[:, :, -1].reshape(2, 2, 2, 8).mean(2)[:, :, None].expand(-1, -1, 4, -1) * 6
    store.append(
        type(marked)(
            aligned.contiguous(),
            marked.values,
            marked.queries,
            marked.times,
            marked.utcs,
            marked.frames,
        )
    )
    for number in range(6, 20):
        store.append(block(1, first=number))
    recall = store.recall(asked)
    flat = type(ROPE)(ROPE.inv_freq * 0)
    spans = evidence(recall, attended(recall, flat, asked), 3)
    assert (spans[0].from_s, spans[0].to_s, spans[0].from_utc, spans[0].tier) == (
        5.0,
        5.0,
        1005.0,
        "long",
    )
    assert spans[0].score > 0.5
    assert sum(span.score for span in spans) <= 1 + 1e-6
    assert evidence(recall, attended(recall, flat, asked), 0) == ()


def test_neighbouring_frames_join_into_a_span() -> None:
    """Evidence is told in stretches, not frame by frame; the short-term tier is told apart."""
    recall = filled(memory(KeepAll(), ReadAll()), 8).recall(question())
    spans = evidence(recall, torch.ones(2, len(recall)), 8)
    assert sorted((span.from_s, span.to_s, span.tier) for span in spans) == [
        (0.0, 3.0, "long"),
        (4.0, 7.0, "short"),
    ]


def test_stats_tell_sizes_and_reach() -> None:
    """Stats name the tokens by tier, the bytes, and from when to when something is remembered."""
    store = memory(KeepAll(), ReadAll())
    assert store.stats().from_s is None
    filled(store, 6)
    stats = store.stats()
    assert (stats.from_s, stats.to_s, stats.evicted_tokens) == (0.0, 5.0, 0)
    assert stats.device_bytes >= 27 * SHAPE.bytes_per_token(torch.float32)
