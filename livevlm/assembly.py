"""Assembly: a configuration's tables turned into the options of the parts."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

from livevlm.backbone import Backbone
from livevlm.config import Config, ServerConfig
from livevlm.engine import Engine, EngineOptions, EngineStream
from livevlm.metrics import Metrics
from livevlm.models import load_backbone
from livevlm.persistence import StateDir, fingerprint_of
from livevlm.remembering import MemoryRecipe, prompt_block
from livevlm.service.limits import Limits
from livevlm.service.options import DEFAULTS, AskOptions
from livevlm.service.server import ServerOptions
from livevlm.service.tls import ailment, server_context
from livevlm.watching.gate import GateOptions
from livevlm.watching.watches import WatchOptions

logger = logging.getLogger(__name__)


def build_backbone(config: Config) -> Backbone:
    """The model, loaded. Raises ModelNotFound, and ConfigError for a device that is not there."""
    model = config.model
    return load_backbone(model.name, device=model.device, dtype=model.dtype, threads=model.threads)


def build_engine(
    backbone: Backbone,
    config: Config,
    streams: Sequence[EngineStream],
    metrics: Metrics,
    state: StateDir | None = None,
) -> Engine:
    """The engine, with a memory a stream: empty, or what the state directory holds of it.

    Raises ConfigError where the settings fit no memory, or what is held cannot be used.
    """
    path = None if state is None else state.path
    return Engine(
        backbone, streams=streams, options=engine_options(config), metrics=metrics, state=path
    )


def open_state(backbone: Backbone, config: Config) -> StateDir | None:
    """The state directory, if one is set. Raises ConfigError where it cannot be used."""
    if not config.server.state_dir:
        return None
    prompt = backbone.codec.layout(config.answer.system_prompt).before_video
    ingest = config.ingest
    shaping = {
        key: getattr(ingest, key)
        for key in ("tokens_per_frame", "reducer", "similarity", "timestamps", "chunk_frames")
    }
    fingerprint = fingerprint_of(
        backbone, prompt_block(backbone, prompt), config.memory.model_dump(), shaping
    )
    return StateDir(Path(config.server.state_dir).expanduser(), fingerprint)


def engine_options(config: Config) -> EngineOptions:
    """What [ingest], [memory] and [answer] say to the engine."""
    ingest = config.ingest
    return EngineOptions(
        chunk_frames=ingest.chunk_frames,
        batch_frames=ingest.batch_frames,
        tokens_per_frame=ingest.tokens_per_frame,
        similarity=ingest.similarity,
        system_prompt=config.answer.system_prompt,
        max_waiting=config.answer.max_waiting,
        max_active=config.answer.max_active,
        memory=MemoryRecipe(**config.memory.model_dump(), timestamps=ingest.timestamps),
        watches=WatchOptions(
            most=config.watches.most,
            gate=GateOptions(change=config.watches.change, longest_s=config.watches.longest_s),
        ),
    )


def server_options(config: Config) -> ServerOptions:
    """What [server] and [answer] say to the server. ConfigError where a file of the token or of TLS cannot be used."""
    server, answer = config.server, config.answer
    own = AskOptions(
        max_tokens=answer.max_tokens,
        temperature=answer.temperature,
        top_p=answer.top_p,
        history_turns=answer.history_turns,
    )
    limits = Limits(
        messages_per_s=server.max_messages_per_s,
        malformed_per_minute=server.max_malformed_per_minute,
        questions_per_minute=server.max_questions_per_minute,
        answer_tokens=server.max_answer_tokens,
        clients=server.max_clients,
    )
    return ServerOptions(
        max_message_bytes=server.max_message_bytes,
        max_questions_per_client=server.max_questions_per_client,
        limits=limits,
        max_outgoing_bytes=server.max_outgoing_bytes,
        resume_s=server.resume_s,
        max_resumable=server.max_resumable,
        token=server.token(),
        tls=_tls(server),
        allowed_origins=frozenset(server.allowed_origins),
        defaults=own.over(DEFAULTS),
    )


def _tls(server: ServerConfig) -> ssl.SSLContext | None:
    if not server.tls_cert:
        return None
    context = server_context(server.tls_cert, server.tls_key)
    wrong = ailment(context, server.tls_cert)
    if wrong is not None:
        logger.warning("server.tls_cert %s: %s", server.tls_cert, wrong)
    return context
