"""Intake: one configured stream, from its address to what the engine takes frames from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from livevlm.config import Config
from livevlm.engine import EngineStream
from livevlm.errors import ConfigError
from livevlm.roster import Film
from livevlm.watchconfig import StreamConfig
from livevlm.whereabouts import address_of
from streams import (
    Mailbox,
    Policy,
    ReaderOptions,
    SourceOptions,
    StreamError,
    StreamReader,
    edition_of,
    is_live,
)


@dataclass(frozen=True, slots=True)
class Intake:
    """A stream's reader and what the engine sees of it. `start` it, and `stop` it in the end."""

    reader: StreamReader
    mailbox: Mailbox
    stream: EngineStream

    def stop(self, timeout_s: float) -> None:
        """Stop reading; returns once the reader has stopped, at the latest after `timeout_s`."""
        self.mailbox.close()
        self.reader.stop(timeout_s)


def build_intake(
    name: str,
    config: Config,
    *,
    environ: Mapping[str, str],
    size: tuple[int, int] | None,
    wake: Callable[[], None],
) -> Intake:
    """The intake of the stream `name`, not yet started. ConfigError where its address cannot be one, or nothing is there.

    `size`: (width, height) the model wants its frames in. Live sources never wait for the model: frames that wait give way to
    newer ones. Recordings do, unless they are told otherwise, so that none of their frames is lost.
    """
    stream = config.streams[name]
    url = address_of(name, config, environ)
    try:
        mailbox = Mailbox(config.ingest.mailbox_frames, policy(stream, live=is_live(url)))
        options = reader_options(stream, fps=stream.fps or config.ingest.fps, size=size)
        reader = StreamReader(url, name=name, mailbox=mailbox, options=options, wake=wake)
    except (ConfigError, StreamError) as error:
        raise ConfigError(f"streams.{name}: {error.message}") from error
    engine_stream = EngineStream(
        name=name,
        source=reader.source,
        take=mailbox.take,
        status=reader.status,
        pending=mailbox.__len__,
        film=None if stream.loop else _film(url, reader),
    )
    return Intake(reader, mailbox, engine_stream)


def _film(url: str, reader: StreamReader) -> Film:
    return Film(
        edition=lambda: edition_of(url),
        go_on=reader.viewing.go_on,
        finished=lambda: reader.viewing.finished,
    )


def policy(stream: StreamConfig, *, live: bool) -> Policy:
    """What happens when the model does not keep up. ConfigError where a live source is to wait for it."""
    if stream.drop == "auto":
        return "oldest" if live else "block"
    if live and stream.drop == "block":
        raise ConfigError("drop: a live source cannot wait; take oldest or latest")
    return stream.drop


def reader_options(
    stream: StreamConfig, *, fps: float, size: tuple[int, int] | None
) -> ReaderOptions:
    """How the stream is read."""
    return ReaderOptions(
        fps=fps,
        source=SourceOptions(
            size=size,
            open_timeout_s=stream.open_timeout_s,
            read_timeout_s=stream.read_timeout_s,
            rtsp_transport=stream.rtsp_transport,
            decode=stream.decode,
        ),
        stall_timeout_s=stream.stall_timeout_s,
        speed=stream.speed,
        loop=stream.loop,
        gate=stream.gate,
        gate_longest_s=stream.gate_longest_s,
    )
