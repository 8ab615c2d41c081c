"""Which memory a stream gets."""

from __future__ import annotations

import pytest
import torch

from livevlm.chat import ChatLayout
from livevlm.decoder import ChunkPast
from livevlm.errors import ConfigError
from livevlm.remembering import RETENTIONS, MemoryRecipe, own_budget, prompt_block, proxy_queries
from livevlm.toy import ByteCodec, ToyBackbone
from memory import MemoryStats, Tiers
from memory.readers.par import PositionAgnosticRetrieval


def empty(*, timestamps: bool, budget_tokens: int = 96) -> MemoryStats:
    """The sizes of a new memory on the toy: pictures of 16 tokens, chunks of 4."""
    recipe = MemoryRecipe(budget_tokens=budget_tokens, short_term_frames=4, timestamps=timestamps)
    return recipe.build(ToyBackbone(), prompt="p", frame_tokens=16, chunk_frames=4).stats()


def test_room_for_the_longest_timestamp_is_kept_with_every_exact_frame() -> None:
    """Eight tokens, as in 99:59:59, for each short-term frame and each frame of a chunk, and nothing where they are off."""
    toy = ToyBackbone()
    per_token = toy.kv.bytes_per_token(toy.dtype)
    assert empty(timestamps=False).device_bytes == (1 + 96 + (4 + 4) * 16) * per_token
    assert empty(timestamps=True).device_bytes == (1 + 96 + (4 + 4) * (16 + 8)) * per_token


def test_the_own_budget_leaves_room_for_timestamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model can read is shared with the texts too."""
    toy = ToyBackbone()
    monkeypatch.setattr(ToyBackbone, "max_positions", 1_000)
    exact = 1 + (4 + 4) * (16 + 8)
    budget = own_budget(toy, exact)
    per_token = toy.kv.bytes_per_token(toy.dtype)
    stats = empty(timestamps=True, budget_tokens=0)
    assert stats.device_bytes == (budget + exact) * per_token


def test_rekv_takes_no_timestamps() -> None:
    """Its blocks are frames of one length; the way out is named, and without timestamps it works."""
    with pytest.raises(ConfigError) as caught:
        MemoryRecipe(reader="rekv", retention="full", timestamps=True)
    assert "ingest.timestamps = false" in caught.value.message
    assert "memory.reader" in caught.value.message
    MemoryRecipe(reader="rekv", retention="full")


@pytest.mark.parametrize("retention", RETENTIONS)
def test_every_retention_is_made_by_its_name(
    retention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name gives its own method, with its own settings, and the memory holds the budget with it."""
    settings = {
        "vsb": "bucket_capacity=2, top_ratio=0.5, bucket_by='index'",
        "window": "sink_tokens=7",
        "topk": "pool_tokens=3",
        "infinipot": "tar_ratio=0.25",
    }
    made: list[object] = []
    recipe = MemoryRecipe(
        retention=retention,
        budget_tokens=96,
        short_term_frames=4,
        bucket_capacity=2,
        top_ratio=0.5,
        bucket_by="index",
        sink_tokens=7,
        score_pool_tokens=3,
        tar_ratio=0.25,
    )
    monkeypatch.setattr(
        "livevlm.remembering.StreamMemory", lambda *_, retention, **__: made.append(retention)
    )
    recipe.build(ToyBackbone(), prompt="p", frame_tokens=16, chunk_frames=4)
    kinds = {
        "vsb": "VisionSinkBucketing",
        "full": "KeepAll",
        "uniform": "Uniform",
        "window": "SlidingWindow",
        "last": "LastFrames",
        "topk": "TopScores",
        "infinipot": "InfiniPotV",
        "streammem": "StreamMem",
        "carrier": "CarrierTokens",
        "clips": "ClipMerging",
    }
    assert type(made[0]).__name__ == kinds[retention]
    assert settings.get(retention, "") in repr(made[0])


def test_the_last_frames_alone_take_no_long_term_room_unless_it_is_given() -> None:
    """The device pays for what the method holds; a budget that is set is taken as it is."""
    toy = ToyBackbone()
    per_token = toy.kv.bytes_per_token(toy.dtype)
    for budget, long in ((0, 0), (96, 96)):
        recipe = MemoryRecipe(retention="last", budget_tokens=budget, short_term_frames=4)
        store = recipe.build(toy, prompt="p", frame_tokens=16, chunk_frames=4)
        assert store.tiers == Tiers(prompt=1, long=0, short=0)
        assert store.stats().device_bytes == (1 + long + (4 + 4) * 16) * per_token


@pytest.mark.parametrize(
    ("budget", "floor", "read"), [(1000, 256, 400), (160, 256, 256), (160, 0, 64), (0, 256, 256)]
)
def test_a_question_reads_the_floor_however_small_the_budget(
    monkeypatch: pytest.MonkeyPatch, budget: int, floor: int, read: int
) -> None:
    """Two fifths of the budget, or the floor where that is more; also where the device holds the newest frames alone."""
    made: list[PositionAgnosticRetrieval] = []

    def build(*given: object, reader: PositionAgnosticRetrieval, **_others: object) -> None:
        made.append(reader)

    monkeypatch.setattr("livevlm.remembering.StreamMemory", build)
    recipe = MemoryRecipe(
        retention="vsb" if budget else "last", budget_tokens=budget, retrieval_floor=floor
    )
    recipe.build(ToyBackbone(), prompt="p", frame_tokens=16, chunk_frames=4)
    assert [one.token_limit for one in made] == [read]


def test_a_question_reads_no_more_than_the_model_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor ends where the model's positions do."""
    made: list[PositionAgnosticRetrieval] = []
    monkeypatch.setattr(
        "livevlm.remembering.StreamMemory", lambda *_given, reader, **_others: made.append(reader)
    )
    monkeypatch.setattr(ToyBackbone, "max_positions", 500)
    MemoryRecipe(budget_tokens=100).build(
        ToyBackbone(), prompt="p", frame_tokens=16, chunk_frames=4
    )
    assert [one.token_limit for one in made] == [own_budget(ToyBackbone(), 1 + (8 + 4) * 16)]


def test_the_proxy_is_the_text_between_video_and_answer_read_over_the_prompt() -> None:
    """Its queries are those of the whole dialogue without a video in it."""
    toy = ToyBackbone()
    text = toy.codec.layout("").ask("")
    whole = ChunkPast(None, toy.rope, len(text))
    with torch.inference_mode():
        toy.forward(toy.embed(toy.codec.encode("p" + text)), whole)
    queries = proxy_queries(toy, prompt_block(toy, "p"))
    assert queries.shape == (2, 4, len(text), 12)
    torch.testing.assert_close(queries, whole.queries)


def test_a_template_without_a_word_has_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out is named."""
    monkeypatch.setattr(ByteCodec, "layout", lambda *_: ChatLayout("p", "", ""))
    with pytest.raises(ConfigError, match=r"set another memory\.retention"):
        proxy_queries(ToyBackbone(), prompt_block(ToyBackbone(), "p"))


def test_scores_are_pooled_around_a_token() -> None:
    """An even number of neighbours is refused, by its name."""
    with pytest.raises(ConfigError, match=r"memory\.score_pool_tokens = 4"):
        MemoryRecipe(score_pool_tokens=4)
