"""Contenders: the memories that a benchmark compares, by name, and what each becomes at a share of everything.

A share is of the tokens of the whole stream, which is what everything kept holds on the device: long-term and short-term
tokens together make it up; the prompt, and the room for one chunk that every memory needs, stand beside it. So that a small
share is not short-term memory alone, the newest frames are as many as the configuration says, but take at most half of it,
and are four at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from livevlm.assembly import engine_options
from livevlm.backbone import Backbone
from livevlm.config import Config
from livevlm.errors import ConfigError
from livevlm.layers import nearest
from livevlm.reducer import make_reducer
from livevlm.remembering import QUESTION_ROOM, RETENTIONS, own_budget
from livevlm.timestamps import Timestamps

EVERYTHING = ("full+full", "full+par", "full+par+near", "full+rekv")
# What new frames attend to in `full+par+near`: about what the bundled model was trained to read.
NEAR_TOKENS = 1024
FEWEST_FRAMES = 4
# What a name means: settings of the configuration's tables. Another kind of memory is another line.
MEMORIES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "full+full": {"memory": {"retention": "full", "reader": "full"}},
    "full+par": {"memory": {"retention": "full", "reader": "par"}},
    "full+par+near": {
        "memory": {"retention": "full", "reader": "par", "context_tokens": NEAR_TOKENS}
    },
    "full+rekv": {"memory": {"retention": "full", "reader": "rekv"}},
    **{
        f"{retention}+{reader}": {
            "memory": {"retention": retention, "reader": reader, "archive": False}
        }
        for retention in RETENTIONS
        if retention != "full"
        for reader in ("par", "full")
    },
    # The archive behind other selections: what new frames attend to then is theirs.
    **{
        f"{retention}+par+archive": {
            "memory": {"retention": retention, "reader": "par", "archive": True}
        }
        for retention in ("infinipot", "uniform", "last")
    },
    **{
        f"vsb+par+archive{name}": {
            "memory": {"retention": "vsb", "reader": "par", "archive": True}
            | {"archive_storage": storage}
        }
        for name, storage in (("", "exact"), ("-int8", "int8"), ("-int4", "int4"))
    },
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A memory at a share of everything; None keeps everything."""

    name: str
    share: Fraction | None
    config: Config

    @property
    def of_everything(self) -> str:
        """ "full", "1/44"."""
        return "full" if self.share is None else str(self.share)

    def __str__(self) -> str:
        return f"{self.name} at {self.of_everything}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is left out, and why."""

    name: str
    of_everything: str
    why: str


def known(names: Iterable[str]) -> list[str]:
    """The names, each of them a memory's. ConfigError for another."""
    found = list(names)
    for name in found:
        if name not in MEMORIES:
            raise ConfigError(f"--memories: {name} is not known{nearest(name, MEMORIES)}")
    return found


def enter(
    backbone: Backbone,
    config: Config,
    names: Sequence[str],
    shares: Sequence[Fraction],
    *,
    frames: int,
) -> tuple[list[Contender], list[Skipped]]:
    """Who takes part in streams of so many frames: everything kept once, the others at each share."""
    contenders: list[Contender] = []
    skipped: list[Skipped] = []
    for name in names:
        for share in [None] if name in EVERYTHING else shares:
            one = Contender(name, share, _settled(config, MEMORIES[name]))
            try:
                contenders.append(_sized(backbone, one, frames))
            except ConfigError as error:
                skipped.append(Skipped(name, one.of_everything, error.message))
    return contenders, skipped


def tokens_of_frame(backbone: Backbone, config: Config) -> int:
    """The most that a frame becomes, its time included."""
    ingest = config.ingest
    reducer = make_reducer(
        backbone.own_grid, tokens=ingest.tokens_per_frame, similarity=ingest.similarity
    )
    clock = Timestamps(backbone.codec, backbone.embed).max_tokens if ingest.timestamps else 0
    return reducer.most + clock


def _settled(config: Config, overrides: Mapping[str, Mapping[str, Any]]) -> Config:
    table = config.model_dump()
    for section, settings in overrides.items():
        table[section] = table[section] | settings
    return Config.model_validate(table)


def _sized(backbone: Backbone, one: Contender, frames: int) -> Contender:
    """With its budget set. ConfigError where the model cannot read so much, or nothing is left to read."""
    config, frame = one.config, tokens_of_frame(backbone, one.config)
    memory = config.memory
    prompt = len(backbone.codec.encode(engine_prompt(backbone, config)))
    everything = frames * frame
    if one.share is None:
        room = backbone.max_positions - prompt - QUESTION_ROOM
        if memory.reader == "full" and everything > room:
            raise ConfigError(f"{everything} tokens are more than the {room} that the model reads")
        engine_options(config)
        return one
    tokens = int(everything * one.share)
    short = min(memory.short_term_frames, max(FEWEST_FRAMES, tokens // 2 // frame))
    long = tokens - short * frame
    if min(long, max(long * memory.retrieval_ratio, memory.retrieval_floor)) < memory.page_tokens:
        raise ConfigError(
            f"{tokens} tokens: beside the newest {short} frames not one page of long-term memory can be read"
        )
    room = own_budget(backbone, prompt + (short + config.ingest.chunk_frames) * frame)
    if long > room:
        raise ConfigError(
            f"{tokens} tokens: the model reads {room} beside its newest frames at most"
        )
    budget = {"memory": {"budget_tokens": long, "short_term_frames": short}}
    return Contender(one.name, one.share, _settled(config, budget))


def engine_prompt(backbone: Backbone, config: Config) -> str:
    """What stands before the video."""
    return backbone.codec.layout(config.answer.system_prompt).before_video
