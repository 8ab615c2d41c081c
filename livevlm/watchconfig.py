"""Settings of what is watched: a source of video, and how its pictures become tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from livevlm.errors import ConfigError
from livevlm.section import Section, setting

Positive = Annotated[float, Field(gt=0)]
# Of a stream; it becomes a part of paths and of labels.
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class IngestConfig(Section):
    """How pictures become tokens."""

    fps: float = setting(1.0, "frames a second taken from each stream", gt=0, le=240)
    chunk_frames: int = setting(4, "frames of a stream run through the model at once", ge=1, le=256)
    batch_frames: int = setting(
        4, "frames of all streams run through it at once; a chunk is always taken whole", ge=1
    )
    tokens_per_frame: int = setting(0, "tokens a frame is reduced to; 0: the model's own", ge=0)
    reducer: Literal["pool"] = setting("pool", "how a frame's tokens are reduced: pool")
    similarity: float = setting(
        0.0, "drop tokens this similar (cosine) to the frame before; 0: keep all", ge=0, le=1
    )
    timestamps: bool = setting(
        False, "put each frame's stream time before it as text, as 0:12:05; up to 99:59:59"
    )
    mailbox_frames: int = setting(16, "frames that may wait for the model, per stream", ge=1)


class StreamConfig(Section):
    """One source of video. It has either `url` or `url_env`."""

    url: str = setting(
        "", "file, dir:FOLDER, rtsp://, rtmp://, srt://, http(s)://, webcam:0, screen:, - or test:"
    )
    url_env: str = setting("", "variable that holds the url: keeps passwords out of files")
    fps: float = setting(0.0, "frames a second taken; 0: ingest.fps", ge=0, le=240)
    speed: Positive | Literal["max"] = setting(1.0, 'files only: times real time, or "max"')
    loop: bool = setting(False, "files only: start again at the end")
    rtsp_transport: Literal["tcp", "udp"] = setting("tcp", "tcp or udp")
    decode: Literal["auto", "all", "keyframes"] = setting(
        "auto", "what is decoded: auto (live: what is needed, files: all), all, keyframes"
    )
    open_timeout_s: float = setting(5.0, "seconds a connection may take", gt=0)
    read_timeout_s: float = setting(10.0, "seconds a read may take", gt=0)
    stall_timeout_s: float = setting(15.0, "seconds without a frame until it is opened anew", gt=0)
    drop: Literal["auto", "oldest", "latest", "block"] = setting(
        "auto",
        "what goes when too many wait: oldest, latest (all but the newest), block (none); auto: oldest, of files none",
    )
    gate: float = setting(
        0.0, "grey levels (of 255) below which a frame is like the one before; 0: off", ge=0, le=255
    )
    gate_longest_s: float = setting(10.0, "seconds after which a like frame is taken", gt=0)

    @model_validator(mode="after")
    def _one_address(self) -> StreamConfig:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("set exactly one of url and url_env")
        return self

    def address(self, environ: Mapping[str, str]) -> str:
        """The url itself, credentials included; ConfigError where `url_env` names a variable that is not set."""
        if self.url:
            return self.url
        if not environ.get(self.url_env):
            raise ConfigError(f"url_env: the environment variable {self.url_env} is not set")
        return environ[self.url_env]
