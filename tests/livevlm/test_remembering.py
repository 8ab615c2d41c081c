"""Which memory a stream gets."""

from __future__ import annotations

import pytest

from livevlm.errors import ConfigError
from livevlm.remembering import MemoryRecipe, own_budget
from livevlm.toy import ToyBackbone
from memory import MemoryStats


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
