"""Transfer: memories out of a state directory into one tar file, and out of such a file into a state directory.

The file's first member is `manifest.json`: the fingerprint of what the memories were made with, and the name and size of every
file that follows. They lie under the names that they have in the directory, and nothing else may be in it. Of a file that is
taken in only plain contents are used, under names that were checked: no link, path, owner or mode of it.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from livevlm.errors import ConfigError
from livevlm.persistence import StateDir
from livevlm.stored import fingerprint_in, held, stream_names

FORMAT = "1"
MANIFEST = "manifest.json"
LONGEST_MANIFEST = 64 << 20
PASSING = (".part", ".tmp")  # what a crash left of a file that was being written
_NAME = re.compile(
    r"streams/([A-Za-z0-9][A-Za-z0-9_-]{0,62})/(?:memory|archive)/[A-Za-z0-9][A-Za-z0-9._-]{0,100}"
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a tar file of memories says that it holds: files by name, with their bytes."""

    fingerprint: Mapping[str, str]
    files: Mapping[str, int]

    @property
    def streams(self) -> list[str]:
        """The names of the streams."""
        return sorted({name.split("/")[1] for name in self.files})

    def packed(self) -> bytes:
        """As JSON."""
        said = {"format": FORMAT, "fingerprint": dict(self.fingerprint), "files": dict(self.files)}
        return json.dumps(said).encode()


def export_memories(path: Path, file: Path, *, stream: str | None, force: bool) -> list[str]:
    """Write a state directory's memories, or one stream's, to a new tar file; the names of the streams.

    force: a file that is there is replaced. Raises ConfigError or StreamNotFound; then there is no new file.
    """
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already; name another file, or give --force")
    part = file.with_name(f"{file.name}.part")
    with held(path) as state:
        names = stream_names(state, stream)
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as out:
                _pack(state, names, out)
                out.flush()
                os.fsync(out.fileno())
            part.replace(file)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise ConfigError(f"{file} cannot be written: {error.strerror or error}") from error
    return names


def _pack(state: StateDir, names: list[str], out: IO[bytes]) -> None:
    found = [
        one
        for name in names
        for kind in ("memory", "archive")
        for one in sorted(state.stream(name).glob(f"{kind}/*"))
        if one.is_file() and not one.is_symlink() and one.suffix not in PASSING
    ]
    sizes = {one.relative_to(state.path).as_posix(): one.stat().st_size for one in found}
    manifest = Manifest(fingerprint_in(state.path), sizes).packed()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for name, size in sizes.items():
            with (state.path / name).open("rb") as content:
                tar.addfile(_member(name, size), content)


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A file of nobody and of no time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def restore_memories(path: Path, file: Path, *, force: bool) -> list[str]:
    """Take the memories of a tar file into a state directory, which is new or holds those of the same model and settings.

    force: streams that are there are replaced. The names of the streams. Raises ConfigError; then nothing has changed.
    """
    try:
        with file.open("rb") as content, tarfile.open(fileobj=content, mode="r:") as tar:
            manifest = _checked(tar, file)
            return _restore(path, tar, manifest, file=file, force=force)
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(f"{file} cannot be restored: {error}") from error


def _checked(tar: tarfile.TarFile, file: Path) -> Manifest:
    """The manifest of a file that holds what it says, and nothing else. Raises ConfigError."""
    members = tar.getmembers()
    for member in members:
        if not member.isreg() or member.issparse():
            raise ConfigError(
                f"{file} holds {member.name!r}, which is no plain file: it is refused"
            )
        if member.name != MANIFEST and _NAME.fullmatch(member.name) is None:
            raise ConfigError(
                f"{file} holds {member.name!r}, which has no place in a memory: it is refused"
            )
    if not members or members[0].name != MANIFEST or members[0].size > LONGEST_MANIFEST:
        raise ConfigError(
            f"{file} has not been written by `livevlm memory export`: no {MANIFEST} comes first"
        )
    manifest = _manifest(tar, members[0], file)
    there = [(member.name, member.size) for member in members[1:]]
    if sorted(there) != sorted(manifest.files.items()):
        raise ConfigError(
            f"{file} does not hold what its {MANIFEST} says: it is cut off, or was changed"
        )
    return manifest


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> Manifest:
    content = tar.extractfile(member)
    assert content is not None, "it is a plain file"
    try:
        said = json.loads(content.read())
        if said["format"] != FORMAT:
            raise ValueError(f"its format is {said['format']}, not {FORMAT}")
        prints = {str(key): str(value) for key, value in said["fingerprint"].items()}
        return Manifest(prints, {str(name): int(size) for name, size in said["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the {MANIFEST} of {file} cannot be read: {error}") from error


def _restore(
    path: Path, tar: tarfile.TarFile, manifest: Manifest, *, file: Path, force: bool
) -> list[str]:
    prints = path / "fingerprint.json"
    fresh = not prints.exists()
    if not fresh and fingerprint_in(path) != manifest.fingerprint:
        raise ConfigError(
            f"the memories in {file} were made otherwise than those in {path}: "
            f"{_differences(manifest.fingerprint, fingerprint_in(path))}. Restore them into a new folder"
        )
    state = StateDir(path, manifest.fingerprint)
    try:
        there = [name for name in manifest.streams if state.stream(name).exists()]
        if there and not force:
            raise ConfigError(
                f"{', '.join(there)}: remembered in {path} already; give --force to replace what is there"
            )
        _take_in(state, tar, manifest)
    except BaseException:
        if fresh:
            prints.unlink(missing_ok=True)
        raise
    finally:
        state.close()
    return manifest.streams


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    keys = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    said = ((key, theirs.get(key, "not there"), ours.get(key, "not there")) for key in keys)
    return "; ".join(f"{key} is {there} there, {here} here" for key, there, here in said)


def _take_in(state: StateDir, tar: tarfile.TarFile, manifest: Manifest) -> None:
    """Write all files beside the streams, and when they are whole, put them in their place."""
    beside = state.path / "restoring"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for name in manifest.files:
            content = tar.extractfile(name)
            assert content is not None, "it is a plain file"
            place = beside / name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                shutil.copyfileobj(content, out)
                out.flush()
                os.fsync(out.fileno())
        (state.path / "streams").mkdir(exist_ok=True)
        for name in manifest.streams:
            _replace(state.stream(name), beside / "streams" / name, beside / f"old-{name}")
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _replace(place: Path, new: Path, aside: Path) -> None:
    if place.exists():
        place.rename(aside)
    try:
        new.rename(place)
    except OSError:
        if aside.exists():
            aside.rename(place)
        raise
