"""EngineOptions: the engine's settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from livevlm.remembering import MemoryRecipe
from livevlm.watching.watches import WatchOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """chunk_frames: most frames of a stream run through the model at once. batch_frames: most of all streams, but that a
    chunk is always taken whole. tokens_per_frame: 0 is the model's own. similarity: 0 keeps every token.

    system_prompt: empty is the model's own. max_waiting: most questions accepted and not yet answered. most_begun: most
    questions begun in a step.

    max_active: most answers decoded together. Each holds a working copy of what it recalled: 2 * layers * kv_heads * head_dim
    numbers a token. Of the bundled model that is 2.5 KiB a token and 3.2 MiB an answer at most, of LLaVA-OneVision 0.5B and 7B
    in bfloat16 12 and 56 KiB a token, some 75 and 350 MiB an answer with the default budget.
    """

    chunk_frames: int = 4
    batch_frames: int = 4
    tokens_per_frame: int = 0
    similarity: float = 0.0
    system_prompt: str = ""
    max_waiting: int = 64
    max_active: int = 16
    most_begun: int = 4
    memory: MemoryRecipe = field(default_factory=MemoryRecipe)
    watches: WatchOptions = field(default_factory=WatchOptions)
