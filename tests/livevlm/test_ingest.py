"""The write path of one stream."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from livevlm.backbone import Backbone
from livevlm.decoder import ChunkPast
from livevlm.ingest import Chunk, StreamIngest, prefill, prefill_together
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.timestamps import Timestamps, clock_text
from livevlm.tokens import FrameTokens
from livevlm.toy import ToyBackbone
from livevlm.vision import FrameEncoder
from memory import KVBlock, StreamMemory
from streams import Frame
from tests.livevlm.tiny import backbone, frames


def ingest(
    memory: StreamMemory,
    toy: ToyBackbone,
    *,
    score_queries: int,
    spent: list[str],
    timestamps: Timestamps | None = None,
) -> StreamIngest:
    """A stream's write path on the toy."""
    encoder = FrameEncoder(toy, make_reducer(toy.own_grid, tokens=0, similarity=0.0))
    return StreamIngest(
        toy,
        memory,
        encoder,
        score_queries=score_queries,
        stage=lambda name, _seconds: spent.append(name),
        timestamps=timestamps,
    )


@pytest.mark.parametrize("score_queries", [1, 5, 100])
def test_a_chunk_becomes_one_block_with_its_times_and_scoring_queries(
    score_queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every token carries its frame's times and number; as many queries come along as asked for, or as there are tokens."""
    toy, blocks, spent = ToyBackbone(), list[KVBlock](), list[str]()
    memory = MemoryRecipe(budget_tokens=96).build(toy, prompt="p", frame_tokens=16, chunk_frames=4)
    keep = memory.append
    monkeypatch.setattr(memory, "append", lambda block, _: (blocks.append(block), keep(block)))
    made = ingest(memory, toy, score_queries=score_queries, spent=spent)
    pictures = frames(3, size=(64, 64))
    made.add(pictures)
    (block,) = blocks
    assert len(block) == 48
    assert block.queries.shape[2] == min(score_queries, 48)
    assert block.frames.tolist() == [number for number in range(3) for _ in range(16)]
    assert block.times[::16].tolist() == [0.0, 1.0, 2.0]
    assert block.utcs[::16].tolist() == [1000.0, 1001.0, 1002.0]
    assert made.as_of is not None
    assert (made.as_of.stream_s, made.as_of.utc, made.frames_encoded) == (2.0, 1002.0, 3)
    assert spent == ["vision", "prefill", "compress"]


def shown(count: int, *, from_s: float) -> list[Frame]:
    """Random pictures, one a second from a stream time on."""
    return [
        replace(frame, pts_s=from_s + number)
        for number, frame in enumerate(frames(count, size=(64, 64)))
    ]


def encoded(model: Backbone, count: int) -> list[FrameTokens]:
    """Random pictures as the model sees them."""
    encoder = FrameEncoder(model, make_reducer(model.own_grid, tokens=0, similarity=0.0))
    return encoder.encode(frames(count, size=model.frame_size))


MODELS = [ToyBackbone, lambda: backbone(torch.float32)]


@pytest.mark.parametrize("model", MODELS, ids=["toy", "tiny"])
@pytest.mark.parametrize("stamped", [True, False])
@torch.inference_mode()
def test_a_chunk_is_what_prefilling_by_hand_gives(model: type[ToyBackbone], stamped: bool) -> None:
    """The text of its time stands before each frame; without timestamps there are the frames alone, bit for bit."""
    made = model()
    tokens = encoded(made, 3)
    frame_tokens = len(tokens[0].embeds)
    memory = MemoryRecipe(budget_tokens=96, timestamps=stamped).build(
        made, prompt="p", frame_tokens=frame_tokens, chunk_frames=3
    )
    timestamps = Timestamps(made.codec, made.embed) if stamped else None
    block = prefill(made, memory, tokens, 5, timestamps=timestamps)
    rows, numbers = [], list[int]()
    for frame in tokens:
        text = made.codec.encode(f"0:00:0{frame.number}") if stamped else []
        rows += [made.embed(text)] if stamped else []
        rows.append(frame.embeds)
        numbers += [frame.number] * (len(text) + frame_tokens)
    past = ChunkPast(memory.context(), made.rope, 5)
    made.forward(torch.cat(rows), past)
    assert torch.equal(block.keys, past.keys)
    assert torch.equal(block.values, past.values)
    assert torch.equal(block.queries, past.queries)
    assert block.frames.tolist() == numbers
    assert block.times.tolist() == [float(number) for number in numbers]
    assert block.utcs.tolist() == [1000.0 + number for number in numbers]


def test_the_memory_holds_a_timestamp_as_part_of_its_frame() -> None:
    """Tiers are counted in whole frames, their text included, and recalled tokens carry their frame's time and number."""
    toy = ToyBackbone()
    memory = MemoryRecipe(budget_tokens=460, short_term_frames=4, timestamps=True).build(
        toy, prompt="p", frame_tokens=16, chunk_frames=3
    )
    made = ingest(
        memory, toy, score_queries=5, spent=[], timestamps=Timestamps(toy.codec, toy.embed)
    )
    for start in (0, 3):
        made.add(shown(3, from_s=float(start)))
    each = len("0:00:00") + 16
    assert (memory.tiers.long, memory.tiers.short) == (2 * each, 4 * each)
    numbers = memory.frames[:, memory.tiers.prompt :]
    assert numbers.tolist() == [[frame for frame in range(6) for _ in range(each)]] * 2
    recall = memory.recall(torch.ones(2, 4, 1, 12))
    assert torch.equal(
        recall.times[:, recall.tiers.prompt :], recall.frames[:, recall.tiers.prompt :].double()
    )


@pytest.mark.parametrize("boundary_s", [36_000, 360_000])
@pytest.mark.parametrize("chunk", [1, 4])
def test_budgets_hold_when_texts_change_their_length(boundary_s: int, chunk: int) -> None:
    """At 10:00:00 frames become one token longer, at 100:00:00 they lose their text; the tiers and bytes stay bounded."""
    toy = ToyBackbone()
    memory = MemoryRecipe(budget_tokens=96, short_term_frames=4, timestamps=True).build(
        toy, prompt="p", frame_tokens=16, chunk_frames=chunk
    )
    made = ingest(
        memory, toy, score_queries=5, spent=[], timestamps=Timestamps(toy.codec, toy.embed)
    )
    device_bytes = memory.stats().device_bytes
    seen = list[int]()
    for start in range(boundary_s - 8, boundary_s + 12, chunk):
        made.add(shown(chunk, from_s=float(start)))
        for at_s in range(start, start + chunk):
            text = clock_text(at_s)
            seen.append(16 + (len(text) if len(text) <= 8 else 0))
        assert memory.tiers.long == min(96, sum(seen[:-4]))
        assert memory.tiers.short == sum(seen[-4:])
    assert len(set(seen)) == 2
    assert memory.stats().device_bytes == device_bytes


def encoded_as(model: Backbone, count: int, seed: int) -> list[FrameTokens]:
    """Random pictures of one stream as the model sees them."""
    encoder = FrameEncoder(model, make_reducer(model.own_grid, tokens=0, similarity=0.0))
    return encoder.encode(frames(count, size=model.frame_size, seed=seed))


@pytest.mark.parametrize("model", MODELS, ids=["toy", "tiny"])
@torch.inference_mode()
def test_chunks_side_by_side_are_as_those_alone(model: type[ToyBackbone]) -> None:
    """Memories of different lengths, chunks of different sizes, one with timestamps: each gets the keys, values and queries
    that it gets by itself, and none depends on what its neighbours show.
    """
    made = model()
    stamps = Timestamps(made.codec, made.embed)
    memories = []
    for seed, held in enumerate((0, 3, 6)):
        shown = encoded_as(made, held + 1, seed)
        memory = MemoryRecipe(budget_tokens=96, timestamps=True).build(
            made, prompt="p", frame_tokens=len(shown[0].embeds), chunk_frames=3
        )
        for token in shown[:held]:
            memory.append(prefill(made, memory, [token], 5))
        memories.append(memory)
    first = [encoded_as(made, count, 10 + count) for count in (2, 1, 3)]
    other = [first[0], encoded_as(made, 1, 99), first[2]]

    def chunks(tokens: list[list[FrameTokens]]) -> list[Chunk]:
        return [
            Chunk(memory, part, 5, stamps if number == 2 else None)
            for number, (memory, part) in enumerate(zip(memories, tokens, strict=True))
        ]

    together = prefill_together(made, chunks(first))
    beside_another = prefill_together(made, chunks(other))
    for number, (chunk, block) in enumerate(zip(chunks(first), together, strict=True)):
        (alone,) = prefill_together(made, [chunk])
        for part in ("keys", "values", "queries"):
            torch.testing.assert_close(getattr(block, part), getattr(alone, part))
            if number != 1:
                assert torch.equal(getattr(block, part), getattr(beside_another[number], part))
        assert block.frames.tolist() == alone.frames.tolist()
        assert block.times.tolist() == alone.times.tolist()
    assert not torch.equal(together[1].keys, beside_another[1].keys)
