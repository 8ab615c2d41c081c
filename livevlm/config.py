"""Config: the settings of a daemon, strict and immutable, with their defaults and what each is for.

Relative paths are relative to the directory that the command runs in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from livevlm.errors import ConfigError
from livevlm.section import Section, setting
from livevlm.service.address import is_loopback
from livevlm.watchconfig import PLAIN_NAME, IngestConfig, StreamConfig


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a text file could not be read, without its name."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"


def _split_address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected host:port, as in 127.0.0.1:8765, not {listen!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


class ServerConfig(Section):
    """Where the daemon listens, and what a client may ask of it."""

    listen: str = setting("127.0.0.1:8765", "host:port to listen on; port 0 takes a free one")
    token_file: str = setting("", "file with the bearer token clients must show; empty: no token")
    max_message_bytes: int = setting(1_048_576, "longest websocket message taken", ge=1024)
    max_questions_per_client: int = setting(8, "questions one client may have open", ge=1)
    max_questions_per_minute: int = setting(
        0, "questions one client may ask in a minute; 0: no limit", ge=0
    )
    max_messages_per_s: float = setting(
        50.0,
        "messages a second taken from one client, and four times as many at once; 0: no limit",
        ge=0,
    )
    max_malformed_per_minute: int = setting(
        20, "messages that are no events, after which a client is closed; 0: no limit", ge=0
    )
    max_answer_tokens: int = setting(
        4096, "longest answer that a client may ask for, in tokens", ge=1, le=4096
    )
    max_clients: int = setting(512, "clients connected at once; 0: no limit", ge=0)
    max_outgoing_bytes: int = setting(
        1_048_576,
        "bytes that may wait to be sent to a client; one that reads too slowly is closed",
        ge=1024,
    )
    resume_s: float = setting(
        60.0,
        "seconds that a session waits for a client whose connection was lost; 0: none does",
        ge=0,
    )
    max_resumable: int = setting(64, "sessions that wait at once; the oldest go first", ge=0)
    tls_cert: str = setting(
        "", "PEM file of the port's certificate; with tls_key: https:// and wss://"
    )
    tls_key: str = setting("", "PEM file of the certificate's key, without a passphrase")
    allow_insecure: bool = setting(False, "listen beyond this machine without a token or TLS")
    state_dir: str = setting("", "folder in which memories outlive the daemon; empty: none")
    max_streams: int = setting(64, "streams watched at once; clients may add no more", ge=1)

    allowed_origins: list[str] = setting([], "web pages that may connect, as https://example.org")

    @field_validator("listen")
    @classmethod
    def _listen_is_an_address(cls, listen: str) -> str:
        _split_address(listen)
        return listen

    @model_validator(mode="after")
    def _open_only_on_purpose(self) -> ServerConfig:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("set both tls_cert and tls_key, or neither")
        needed = {"token_file": self.token_file, "tls_cert and tls_key": self.tls_cert}
        missing = " and ".join(name for name, value in needed.items() if not value)
        if missing and not (is_loopback(self.host) or self.allow_insecure):
            raise ValueError(
                f"listen = {self.listen} opens the daemon to the network: set {missing}, or allow_insecure = true"
            )
        return self

    @property
    def host(self) -> str:
        """The host to bind, without brackets."""
        return _split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to bind; 0 is any free one."""
        return _split_address(self.listen)[1]

    def token(self) -> str | None:
        """The token in `token_file`, None where no file is set; ConfigError where the file cannot be used."""
        if not self.token_file:
            return None
        try:
            token = Path(self.token_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"server.token_file {self.token_file}: {reason(error)}") from error
        if not token:
            raise ConfigError(f"server.token_file {self.token_file}: the file is empty")
        return token


class ModelConfig(Section):
    """Which vision-language model watches and answers."""

    name: str = setting("bundled", "bundled, a folder, or a Hugging Face name", min_length=1)
    device: str = setting("auto", "auto, cpu, cuda or cuda:N", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = setting(
        "auto", "auto, float32, bfloat16 or float16"
    )
    threads: int = setting(0, "CPU threads of the model; 0: all cores", ge=0)


class MemoryConfig(Section):
    """What is remembered and how it is found again."""

    budget_tokens: int = setting(
        0,
        "long-term tokens per stream; 0: what the model can read, at most 12000; none for last",
        ge=0,
    )
    short_term_frames: int = setting(8, "newest frames kept exactly, at least 4", ge=4)
    retention: Literal[
        "vsb",
        "full",
        "uniform",
        "window",
        "last",
        "topk",
        "infinipot",
        "streammem",
        "carrier",
        "clips",
    ] = setting(
        "vsb",
        "what stays beyond the budget: vsb, full, uniform, window, last, topk, infinipot, streammem, carrier, clips",
    )
    reader: Literal["par", "full", "rekv"] = setting(
        "par", "what a question reads: par, full, rekv"
    )
    retrieval_ratio: float = setting(
        0.4, "share of the budget that a question may read", gt=0, le=1
    )
    retrieval_floor: int = setting(
        256, "long-term tokens that a question may read, however small the budget", ge=0
    )
    page_choice: Literal["shared", "layer"] = setting(
        "shared",
        "par only: whether all layers read the same pages, or each its own: shared, layer",
    )
    positions: Literal["contiguous", "original", "scaled"] = setting(
        "contiguous", "where a question finds what it recalls: contiguous, original, scaled"
    )
    page_tokens: int = setting(16, "tokens a page of long-term memory", ge=1)
    score_queries: int = setting(32, "newest vision queries that score older tokens", ge=1)
    bucket_capacity: int = setting(1, "tokens a bucket of the budget holds", ge=1)
    top_ratio: float = setting(0.25, "share of the budget given by score alone", ge=0, le=1)
    bucket_by: Literal["stream", "index"] = setting(
        "stream", "a token's place among the buckets: in the whole stream, or in the present memory"
    )
    overfill: bool = setting(True, "vsb only: the best tokens stay even where their bucket is full")
    score_heads: Literal["mean", "max"] = setting(
        "mean", "how the attention of a layer's heads becomes a token's score: mean, max"
    )
    clip_ratio: float = setting(0.25, "clips only: share of a clip's tokens that stay", ge=0, le=1)
    sink_tokens: int = setting(4, "window only: the stream's first tokens that stay", ge=0)
    score_pool_tokens: int = setting(
        5, "topk only: neighbouring tokens that a score is averaged over; odd", ge=1
    )
    tar_ratio: float = setting(
        0.5, "infinipot only: share of the budget given by temporal redundancy", ge=0, le=1
    )
    context_tokens: int = setting(
        0, "newest remembered tokens that new frames attend to; 0: all on the device", ge=0
    )
    archive: bool = setting(
        True, "keep all frames' keys and values off the device too, where par finds them again"
    )
    archive_host_mb: int = setting(512, "host memory of a stream's archive, MiB", ge=16)
    archive_disk_mb: int = setting(
        8192, "disk of a stream's archive, MiB, where server.state_dir is set", ge=16
    )
    archive_days: float = setting(0.0, "days that an archive reaches back; 0: no limit", ge=0)
    archive_storage: Literal["exact", "int8", "int4"] = setting(
        "exact", "how archived keys and values are stored: exact, int8, int4"
    )
    index: Literal["auto", "exact", "faiss"] = setting("auto", "finds pages: auto, exact, faiss")


class AnswerConfig(Section):
    """How answers are made."""

    max_tokens: int = setting(128, "longest answer, in tokens", ge=1)
    temperature: float = setting(0.0, "0 always takes the likeliest token", ge=0)
    top_p: float = setting(1.0, "share of probability sampled from", gt=0, le=1)
    history_turns: int = setting(
        0, "earlier questions of a conversation that are read with their answers", ge=0, le=100
    )
    system_prompt: str = setting("", "pinned before each stream; empty: the model's own")
    max_active: int = setting(16, "answers decoded together; each holds a copy of its recall", ge=1)
    max_waiting: int = setting(1024, "questions that may wait; more are refused", ge=1)


class WatchesConfig(Section):
    """How conditions are watched for."""

    most: int = setting(64, "watches that there may be, those that are over included", ge=1)
    change: float = setting(
        0.1,
        "how far a stream's look must have moved for a condition to be asked again; 0: always ask",
        ge=0,
    )
    longest_s: float = setting(
        30.0, "seconds after which it is asked again however little changes", gt=0
    )


class Config(Section):
    """All settings of a daemon."""

    version: Literal[1] = setting(1, "version of this format")
    server: ServerConfig = ServerConfig()
    model: ModelConfig = ModelConfig()
    ingest: IngestConfig = IngestConfig()
    memory: MemoryConfig = MemoryConfig()
    answer: AnswerConfig = AnswerConfig()
    watches: WatchesConfig = WatchesConfig()
    streams: dict[str, StreamConfig] = Field(default_factory=dict)

    @field_validator("streams")
    @classmethod
    def _names_are_plain(cls, streams: dict[str, StreamConfig]) -> dict[str, StreamConfig]:
        for name in streams:
            if not PLAIN_NAME.fullmatch(name):
                raise ValueError(f"a stream's name has letters, digits, - and _ only: {name!r}")
        return streams
