"""Assembly: a configuration's tables turned into the options of the parts."""

from __future__ import annotations

from collections.abc import Sequence

from livevlm.backbone import Backbone
from livevlm.config import Config
from livevlm.engine import Engine, EngineOptions, EngineStream
from livevlm.metrics import Metrics
from livevlm.models import load_backbone
from livevlm.remembering import MemoryRecipe
from livevlm.service.options import DEFAULTS, AskOptions
from livevlm.service.server import ServerOptions


def build_backbone(config: Config) -> Backbone:
    """The model, loaded. Raises ModelNotFound, and ConfigError for a device that is not there."""
    model = config.model
    return load_backbone(model.name, device=model.device, dtype=model.dtype, threads=model.threads)


def build_engine(
    backbone: Backbone, config: Config, streams: Sequence[EngineStream], metrics: Metrics
) -> Engine:
    """The engine, with an empty memory a stream. Raises ConfigError where the settings fit no memory."""
    return Engine(backbone, streams=streams, options=engine_options(config), metrics=metrics)


def engine_options(config: Config) -> EngineOptions:
    """What [ingest], [memory] and [answer] say to the engine."""
    ingest = config.ingest
    return EngineOptions(
        chunk_frames=ingest.chunk_frames,
        tokens_per_frame=ingest.tokens_per_frame,
        similarity=ingest.similarity,
        system_prompt=config.answer.system_prompt,
        max_waiting=config.answer.max_waiting,
        max_active=config.answer.max_active,
        memory=MemoryRecipe(**config.memory.model_dump(), timestamps=ingest.timestamps),
    )


def server_options(config: Config) -> ServerOptions:
    """What [server] and [answer] say to the server. ConfigError where the token's file cannot be used."""
    server, answer = config.server, config.answer
    own = AskOptions(
        max_tokens=answer.max_tokens, temperature=answer.temperature, top_p=answer.top_p
    )
    return ServerOptions(
        max_message_bytes=server.max_message_bytes,
        max_questions_per_client=server.max_questions_per_client,
        token=server.token(),
        allowed_origins=frozenset(server.allowed_origins),
        defaults=own.over(DEFAULTS),
    )
