"""Fill memories to a given length of stream.

A few frames are run through the model for real; their keys and values are then appended again and again as the frames
that follow. What a memory costs and how long an answer takes depend on how many tokens there are and not on what they
hold, and so a memory of everything can be filled to lengths that it would take hours to reach. Retention and the page
table do all their work on every append.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from livevlm.backbone import Backbone
from livevlm.ingest import prefill
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.vision import FrameEncoder
from memory import KVBlock, StreamMemory
from streams import Frame

CHUNK = 16
METHODS = {"vsb+par": ("vsb", "par"), "full": ("full", "full"), "rekv": ("full", "rekv")}


def random_frames(count: int, size: tuple[int, int]) -> list[Frame]:
    """Pictures of noise, one a second."""
    rng = np.random.default_rng(0)
    width, height = size
    images = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [
        Frame("bench", number, float(number), float(number), image)
        for number, image in enumerate(images)
    ]


def make_memory(
    backbone: Backbone, method: str, *, budget_tokens: int, short_term_frames: int = 8
) -> StreamMemory:
    """An empty memory of that method, its budget the same for all."""
    retention, reader = METHODS[method]
    recipe = MemoryRecipe(
        retention=retention,
        reader=reader,
        budget_tokens=budget_tokens,
        short_term_frames=short_term_frames,
    )
    reducer = make_reducer(backbone.own_grid, tokens=0, similarity=0.0)
    prompt = backbone.codec.layout("").before_video
    return recipe.build(backbone, prompt=prompt, frame_tokens=reducer.most, chunk_frames=CHUNK)


@torch.inference_mode()
def sample_block(backbone: Backbone, memory: StreamMemory) -> KVBlock:
    """One chunk of frames run through the model."""
    encoder = FrameEncoder(backbone, make_reducer(backbone.own_grid, tokens=0, similarity=0.0))
    return prefill(
        backbone,
        memory,
        encoder.encode(random_frames(CHUNK, backbone.frame_size)),
        MemoryRecipe().score_queries,
    )


@torch.inference_mode()
def fill(memory: StreamMemory, block: KVBlock, lengths: tuple[int, ...]) -> Iterator[int]:
    """Append until the stream is as long as each of the lengths (multiples of the chunk), and stop there."""
    frames = 0
    for length in lengths:
        while frames < length:
            shifted = replace(
                block,
                times=block.times + frames,
                utcs=block.utcs + frames,
                frames=block.frames + frames,
            )
            memory.append(shifted)
            frames += CHUNK
        yield frames
