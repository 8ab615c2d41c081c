"""Stored: the memories in a state directory that no daemon has open, read without the model that made them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from livevlm.errors import ConfigError, StreamNotFound
from livevlm.messages import AsOf, MemorySize
from livevlm.persistence import StateDir
from memory.archive.record import entries_of, header_of
from memory.record import Record, TornRecord, read_record

_LOG = re.compile(r"(\d+)-(\d+)\.log")


@contextmanager
def held(path: Path) -> Iterator[StateDir]:
    """A state directory that is there, kept from any daemon meanwhile. Raises ConfigError where one has it, or it is none."""
    state = StateDir(path, fingerprint_in(path))
    try:
        yield state
    finally:
        state.close()


def fingerprint_in(path: Path) -> dict[str, str]:
    """What the memories in a state directory were made with. Raises ConfigError where it is none."""
    file = path / "fingerprint.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} is no state directory: {file.name} is not there; name the --state-dir of a daemon"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file} cannot be read: it holds no settings")
    return {str(key): str(value) for key, value in found.items()}


def stream_names(state: StateDir, only: str | None) -> list[str]:
    """The streams that are remembered, or the one that is asked for. Raises StreamNotFound."""
    folder = state.path / "streams"
    names = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    if only is not None and only not in names:
        there = ", ".join(names) or "none"
        raise StreamNotFound(
            f"no stream {only!r} is remembered in {state.path}; there are: {there}"
        )
    return names if only is None else [only]


def stored_sizes(path: Path, stream: str | None) -> tuple[MemorySize, ...]:
    """The sizes of the memories in a state directory: nothing of them is on a device or in memory.

    The tier `journal` is what came after the last snapshot, where the daemon was killed. Raises ConfigError or StreamNotFound.
    """
    with held(path) as state:
        try:
            return tuple(_size(name, state.stream(name)) for name in stream_names(state, stream))
        except (OSError, TornRecord) as error:
            raise ConfigError(f"the memories in {path} cannot be read: {error}") from error


@dataclass(slots=True)
class _Seen:
    """What was seen, as far as it has been read: times, and the newest frame with its time and its UTC."""

    times: list[float] = field(default_factory=list)
    newest: tuple[int, float, float] | None = None

    def add(self, times: np.ndarray, utcs: np.ndarray, frames: np.ndarray) -> None:
        """Some tokens (N,) in stream order."""
        if len(times):
            self.times += [float(times[0]), float(times[-1])]
            last = (int(frames[-1]), float(times[-1]), float(utcs[-1]))
            self.newest = last if self.newest is None else max(self.newest, last)


def _size(name: str, folder: Path) -> MemorySize:
    seen = _Seen()
    tokens, evicted = _device(folder / "memory", seen)
    archived, pictures = _archive(folder / "archive", seen)
    newest = seen.newest
    return MemorySize(
        stream=name,
        as_of=None if newest is None else AsOf(stream_s=newest[1], utc=newest[2]),
        tokens={**tokens, "archive": archived},
        device_bytes=0,
        host_bytes=0,
        disk_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        evicted_tokens=evicted,
        pictures=pictures,
        from_s=min(seen.times, default=None),
        to_s=max(seen.times, default=None),
    )


def _device(folder: Path, seen: _Seen) -> tuple[dict[str, int], int]:
    """The tokens of the newest snapshot by tier and those journalled since, and how many had left the device."""
    tokens, evicted, generation = {"prompt": 0, "short": 0, "long": 0, "journal": 0}, 0, 0
    for path in sorted(folder.glob("*.snapshot"), reverse=True):
        found = list(_records(path))
        if found:
            generation, (facts, tensors) = int(path.stem), found[0]
            times, utcs, frames = (tensors[key].numpy()[0] for key in ("times", "utcs", "frames"))
            prompt, short = int(np.isneginf(times).sum()), sum(facts["short_frames"])
            tokens |= {"prompt": prompt, "short": short, "long": len(times) - prompt - short}
            evicted = int(facts["evicted"])
            seen.add(times[prompt:], utcs[prompt:], frames[prompt:])
            break
    for path in sorted(folder.glob("*.journal")):
        for record in _records(path) if int(path.stem) >= generation else ():
            block = record.tensors
            tokens["journal"] += len(block["times"])
            seen.add(*(block[key].numpy() for key in ("times", "utcs", "frames")))
    return tokens, evicted


def _records(path: Path) -> Iterator[Record]:
    """The records of a file up to the first that is torn, as a restart would take them."""
    with path.open("rb") as file:
        while True:
            try:
                record = read_record(file)
            except TornRecord:
                return
            if record is None:
                return
            yield record


def _archive(folder: Path, seen: _Seen) -> tuple[int, int]:
    """How many tokens the archive holds, and how many pictures."""
    newest: dict[int, tuple[int, Path]] = {}
    for path in folder.glob("*.log"):
        name = _LOG.fullmatch(path.name)
        if name is not None:
            segment, generation = int(name[1]), int(name[2])
            newest[segment] = max((generation, path), newest.get(segment, (0, path)))
    tokens, pictures = 0, 0
    for _, path in newest.values():
        log = path.read_bytes()
        header = header_of(log)
        for entry in entries_of(log, header.size) if header is not None else ():
            block = entry.record.tokens
            tokens += len(block)
            pictures += len(entry.record.pictures)
            seen.add(block["time"], block["utc"], block["frame"])
    return tokens, pictures
