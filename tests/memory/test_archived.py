"""A memory with an archive: nothing is lost that the caps allow, one ranking, and what is erased is gone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import (
    Archive,
    ArchiveError,
    KeepAll,
    KVBlock,
    PositionAgnosticRetrieval,
    ReadAll,
    StreamMemory,
    Tiers,
    VisionSinkBucketing,
    evidence,
)
from tests.memory.making import SHAPE, archive, block, memory, question

TOKEN_BYTES = 2 * SHAPE.layers * SHAPE.kv_heads * SHAPE.head_dim * 4


def filled(store: StreamMemory, frames: int, *, tokens: int = 4, chunk: int = 4) -> StreamMemory:
    """So many frames, one a second, a chunk at a time."""
    for first in range(0, frames, chunk):
        store.append(block(min(chunk, frames - first), first=first, tokens=tokens))
    return store


def archived(limit: int, **options: int) -> StreamMemory:
    """A small bounded memory with an archive, of which so many tokens are read."""
    return memory(
        VisionSinkBucketing(),
        PositionAgnosticRetrieval(limit, 4),
        budget=24,
        archive=archive(**options),
    )


@pytest.mark.parametrize("tokens", [3, 4])
def test_with_room_to_read_all_nothing_was_lost(tokens: int) -> None:
    """What retention dropped is read from the archive, bit for bit as if everything had been kept."""
    everything = filled(memory(KeepAll(), ReadAll()), 40, tokens=tokens).recall(question())
    found = filled(archived(1000), 40, tokens=tokens).recall(question())
    assert found.tiers == Tiers(prompt=3, long=0, short=4 * tokens, archive=36 * tokens)
    for name in ("keys", "values", "times", "utcs", "frames"):
        assert torch.equal(getattr(found, name), getattr(everything, name)), name


def test_the_best_pages_of_the_archive_are_read_in_stream_order() -> None:
    """Each layer reads the pages whose mean keys fit the question best, then the short-term tier; always the same ones."""
    store = filled(archived(20), 40)
    found = store.recall(question())
    assert found.tiers == Tiers(prompt=3, long=0, short=16, archive=20)
    everything = filled(memory(KeepAll(), ReadAll()), 40).recall(question()).keys[:, :, 3 : 3 + 144]
    for layer in range(SHAPE.layers):
        paged = everything[layer].reshape(2, 36, 4, 8)
        asked = question()[layer].mean(1).reshape(2, 2, 8).mean(1)
        best = torch.einsum("gpd,gd->p", paged.mean(2), asked).topk(5).indices.sort().values
        assert torch.equal(found.keys[layer, :, 3:23], paged[:, best].reshape(2, 20, 8))
        assert (found.times[layer, 3:].diff() >= 0).all()
    assert torch.equal(store.recall(question()).keys, found.keys)


@given(
    limit=st.integers(0, 60),
    frames=st.integers(5, 70),
    tokens=st.integers(1, 5),
    kept=st.integers(0, 3),
    span=st.none() | st.tuples(st.floats(-5, 40), st.floats(0, 80)),
)
@settings(max_examples=80, deadline=None)
def test_budgets_order_and_uniqueness_hold(
    limit: int, frames: int, tokens: int, kept: int, span: tuple[float, float] | None
) -> None:
    """Whatever the caps: at most the limit beside the short-term tier (but for less than two pages at the end), each token
    once, in stream order, inside the range that was asked about; and asking leaves the memory as it was.
    """
    store = memory(
        VisionSinkBucketing(),
        PositionAgnosticRetrieval(limit, 4),
        budget=24,
        frame_tokens=5,
        archive=archive(host_bytes=kept * 32 * TOKEN_BYTES),
    )
    filled(store, frames, tokens=tokens)
    before = store.state()[1]["keys"].clone()
    found = store.recall(question(), span)
    assert found.tiers.long + found.tiers.archive <= max(limit, 2 * 4)
    times, frame = found.times[:, 3:], found.frames[:, 3:]
    assert (times.diff() >= 0).all()
    assert (frame.diff() >= 0).all()
    for layer in range(SHAPE.layers):
        seen = found.keys[layer, 0, 3:]
        assert len(torch.unique(seen, dim=0)) == len(seen)
    if span is not None and times.numel():
        assert times.min() >= span[0]
        assert times.max() <= span[1]
    assert torch.equal(store.state()[1]["keys"], before)


def test_what_the_archive_has_let_go_is_read_from_the_device() -> None:
    """A capped archive forgets its oldest; of that time the device's own compressed tokens are read, before the archive's."""
    store = filled(archived(1000, host_bytes=2 * 32 * TOKEN_BYTES), 100)
    found = store.recall(question())
    assert found.tiers.long > 0
    assert found.tiers.archive >= 32
    oldest = found.frames[0, 3 + found.tiers.long]
    assert (found.frames[:, 3 : 3 + found.tiers.long] <= oldest).all()
    some = filled(archived(20, host_bytes=2 * 32 * TOKEN_BYTES), 100)
    seen = {some.recall(question(seed)).tiers.long > 0 for seed in range(20)}
    assert seen == {False, True}, (
        "one ranking: sometimes an old page is among the best, sometimes none"
    )


class Full(Archive):
    """An archive whose disk is full at times."""

    full = False

    def append(self, block: KVBlock, first_number: int, pictures: Mapping[int, bytes]) -> None:
        """As long as there is room."""
        if self.full:
            raise ArchiveError("no room")
        super().append(block, first_number, pictures)


def test_a_full_disk_stops_no_stream() -> None:
    """What could not be archived is missing there alone, is said, and is over once there is room."""
    whole = archive()
    store = memory(
        VisionSinkBucketing(),
        PositionAgnosticRetrieval(1000, 4),
        budget=24,
        archive=Full(whole._vault, whole._index),
    )
    filled(store, 8)
    Full.full = True
    store.append(block(4, first=8))
    assert store.archive_error == "no room"
    Full.full = False
    store.append(block(4, first=12))
    store.append(block(4, first=16))
    assert store.archive_error == ""
    found = store.recall(question())
    assert set(found.frames[0, 3:].tolist()) == set(range(20)) - {8, 9, 10, 11}


@pytest.mark.parametrize(
    "span", [(0.0, 9.5), (10.0, 19.0), (30.0, 39.0), (36.0, 37.0), (0.0, 99.0)]
)
def test_what_is_erased_is_gone_from_device_and_archive(span: tuple[float, float]) -> None:
    """No question finds it any more, nor is it left behind in a buffer; the rest is still there, and goes on."""
    store = filled(archived(1000), 40)
    erased = [
        token
        for number in range(40)
        if span[0] <= number <= span[1]
        for token in block(4, first=number // 4 * 4).keys[0, 0, number % 4 * 4 : number % 4 * 4 + 4]
    ]
    store.forget(span)
    found = store.recall(question())
    times = found.times[0, 3:]
    assert times.unique().tolist() == [
        number for number in range(40) if not span[0] <= number <= span[1]
    ]
    every = torch.cat((store._pool._keys[0, 0], found.keys[0, 0]))
    for token in erased:
        assert not (every == token).all(-1).any()
    tiers = store.tiers
    assert tiers.long <= 24
    filled_on = block(4, first=40)
    store.append(filled_on)
    newest = store.recall(question())
    assert newest.frames[0, -1] == 43
    assert torch.equal(newest.keys[:, :, -16:], filled_on.keys)


def test_a_span_covers_no_time_that_was_not_read() -> None:
    """Frames that lie far apart in the stream are neighbours in what was recalled; they are two spans."""
    store = filled(archived(16), 40)
    found = store.recall(question())
    spans = evidence(found, torch.ones(found.times.shape), 99)
    read = set(found.frames[:, 3:].flatten().tolist())
    covered = {
        number for span in spans for number in range(round(span.from_s), round(span.to_s) + 1)
    }
    assert covered == read
    assert len(spans) > 2


def test_device_memory_is_constant_to_the_byte_once_the_budget_is_full() -> None:
    """Whatever the archive still holds, or lets go."""
    store = archived(20, host_bytes=2 * 32 * TOKEN_BYTES)
    sizes = set()
    for first in range(0, 200, 4):
        store.append(block(4, first=first))
        store.recall(question())
        if first >= 40:
            sizes.add(store.stats().device_bytes)
    assert len(sizes) == 1
