"""A new stream: a backbone's write path into an empty memory, without a daemon around it."""

from __future__ import annotations

from livevlm.backbone import Backbone
from livevlm.ingest import Stage, StreamIngest
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.vision import FrameEncoder


def untimed(_name: str, _seconds: float) -> None:
    """Take no notice of how long a stage took."""


def new_stream(
    backbone: Backbone, *, chunk: int, budget: int = 0, stage: Stage = untimed
) -> StreamIngest:
    """chunk: most frames at once. budget: long-term tokens, 0 is the model's own. stage: told how long each stage took."""
    recipe = MemoryRecipe(budget_tokens=budget)
    reducer = make_reducer(backbone.own_grid, tokens=0, similarity=0.0)
    prompt = backbone.codec.layout("").before_video
    memory = recipe.build(backbone, prompt=prompt, frame_tokens=reducer.most, chunk_frames=chunk)
    return StreamIngest(
        backbone,
        memory,
        FrameEncoder(backbone, reducer),
        score_queries=recipe.score_queries,
        stage=stage,
    )
