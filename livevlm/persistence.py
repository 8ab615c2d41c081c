"""StateDir: the folder in which memories outlive the daemon, held by one daemon at a time and for one model.

    DIR/lock                        held while a daemon has the folder
    DIR/fingerprint.json            what the memories were made with
    DIR/streams/NAME/memory/        memory/state.py
    DIR/streams/NAME/archive/       memory/archive/

Keys and values mean nothing to another model, so a folder that was written with other settings is refused, not reinterpreted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from livevlm.backbone import Backbone
from livevlm.errors import ConfigError
from livevlm.watchconfig import PLAIN_NAME
from livevlm.whereabouts import stream_folder
from memory import KVBlock

FORMAT = "1"
# The settings of [memory] that may change between two runs: they say how memory is read, not what is in it.
READING = frozenset(
    {
        "reader",
        "retrieval_ratio",
        "retrieval_floor",
        "page_choice",
        "positions",
        "index",
        "archive",
        "archive_host_mb",
        "archive_disk_mb",
        "archive_days",
    }
)


class StateDir:
    """An open state directory. `close` it."""

    def __init__(self, path: Path, fingerprint: Mapping[str, str]) -> None:
        """Raises ConfigError where it cannot be used: not writable, in use, or of another model or configuration."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path)
        except OSError as error:
            raise ConfigError(
                f"the state directory {path} cannot be used: {error.strerror or error}; "
                "set server.state_dir to a folder that can be written"
            ) from error
        try:
            _check(path, dict(fingerprint))
        except BaseException:
            self.close()
            raise

    def stream(self, name: str) -> Path:
        """The folder of a stream; its name has letters, digits, - and _ only."""
        return stream_folder(self.path, name)

    def close(self) -> None:
        """Let another daemon have it."""
        self._lock.close()


def erase_stream(state: Path, name: str) -> bool:
    """Delete all that a state directory keeps of a stream that nobody has open; whether there was anything.

    Raises OSError where some of it may be left.
    """
    assert PLAIN_NAME.fullmatch(name), name
    folder = stream_folder(state, name)
    if not folder.exists():
        return False
    shutil.rmtree(folder)
    # Without this a loss of power could bring the files back.
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return True


def fingerprint_of(
    backbone: Backbone, prompt: KVBlock, memory: Mapping[str, object], ingest: Mapping[str, object]
) -> dict[str, str]:
    """What must be the same for keys and values to mean the same: the model, known by what it makes of its prompt, and the
    settings of [memory] and [ingest] that shape what is remembered.
    """
    made = hashlib.sha256(prompt.keys.float().cpu().numpy().tobytes())
    made.update(prompt.values.float().cpu().numpy().tobytes())
    shape = backbone.kv
    settings = {f"memory.{key}": str(value) for key, value in memory.items() if key not in READING}
    settings |= {f"ingest.{key}": str(value) for key, value in ingest.items()}
    return {
        "format": FORMAT,
        "model": backbone.name,
        "shape": f"{shape.layers} layers, {shape.kv_heads} kv heads of {shape.head_dim}",
        "dtype": str(prompt.keys.dtype),
        "prompt": made.hexdigest()[:16],
        **settings,
    }


def _locked(path: Path) -> IO[str]:
    lock = (path / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConfigError(
            f"the state directory {path} is in use by another daemon: stop it, or set another server.state_dir"
        ) from error
    return lock


def _check(path: Path, wanted: dict[str, str]) -> None:
    file = path / "fingerprint.json"
    way_out = f"set what was set then, set another server.state_dir, or move {path} away"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no settings")
    except FileNotFoundError:
        if (path / "streams").exists():
            raise ConfigError(
                f"{file} is missing, so nobody knows whose memory this is: {way_out}"
            ) from None
        _write(file, json.dumps(wanted, indent=2))
        return
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}; {way_out}") from error
    if found != wanted:
        differing = sorted(
            key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)
        )
        said = "; ".join(
            f"{key} was {found.get(key, 'not there')}, is {wanted.get(key, 'not there')}"
            for key in differing
        )
        raise ConfigError(f"the memory in {path} was made otherwise: {said}. {way_out}")


def _write(file: Path, text: str) -> None:
    """All of it or nothing."""
    part = file.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}") from error
