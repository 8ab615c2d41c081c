"""Whereabouts: where a configured stream comes from, whether that is there, and where its memory is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from livevlm.config import Config
from livevlm.errors import ConfigError
from streams import StreamError
from streams.absence import check_there


def address_of(name: str, config: Config, environ: Mapping[str, str]) -> str:
    """The url of the stream `name`. ConfigError where it can be none, or is of a recording that is not on this machine.

    A recording that was watched before may be gone since: its memory can still be asked.
    """
    try:
        url = config.streams[name].address(environ)
        if not _is_kept(name, config):
            check_there(url)
    except (ConfigError, StreamError) as error:
        raise ConfigError(f"streams.{name}: {error.message}") from error
    return url


def stream_folder(state: Path, name: str) -> Path:
    """Where a state directory keeps a stream."""
    return state / "streams" / name


def _is_kept(name: str, config: Config) -> bool:
    state = config.server.state_dir
    return bool(state) and stream_folder(Path(state).expanduser(), name).is_dir()
