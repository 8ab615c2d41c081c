"""The write path of one stream."""

from __future__ import annotations

import pytest

from livevlm.ingest import StreamIngest
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.toy import ToyBackbone
from livevlm.vision import FrameEncoder
from memory import KVBlock, StreamMemory
from tests.livevlm.tiny import frames


def ingest(
    memory: StreamMemory, toy: ToyBackbone, *, score_queries: int, spent: list[str]
) -> StreamIngest:
    """A stream's write path on the toy."""
    encoder = FrameEncoder(toy, make_reducer(toy.own_grid, tokens=0, similarity=0.0))
    return StreamIngest(
        toy,
        memory,
        encoder,
        score_queries=score_queries,
        stage=lambda name, _seconds: spent.append(name),
    )


@pytest.mark.parametrize("score_queries", [1, 5, 100])
def test_a_chunk_becomes_one_block_with_its_times_and_scoring_queries(
    score_queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every token carries its frame's times and number; as many queries come along as asked for, or as there are tokens."""
    toy, blocks, spent = ToyBackbone(), list[KVBlock](), list[str]()
    memory = MemoryRecipe(budget_tokens=96).build(toy, prompt="p", frame_tokens=16, chunk_frames=4)
    keep = memory.append
    monkeypatch.setattr(memory, "append", lambda block: (blocks.append(block), keep(block)))
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
