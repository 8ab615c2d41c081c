"""ArchiveFolder: the segments that lie in a folder, and what else is found there when it is opened.

Of a segment that was rewritten the newest generation counts, from the moment on that its log has its name. Files without a
log are what a crash left of a beginning or of a deletion, and are removed. What cannot be read is set aside under *.broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import memory.archive.disk as disk
from memory.archive.errors import ArchiveFailed, ForeignArchive, explained
from memory.archive.files import SegmentFiles, SegmentName
from memory.archive.record import Format, Header, header_of
from memory.archive.repair import Repair, Stored, checked, opened

_FILE = re.compile(r"(\d{8,})-(\d+)\.(rows|jpegs|log|log\.tmp)(\.broken)?")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a folder held: segments in stream order, none but the last empty, which is checked, while the others may not be;
    numbers below `floor` have been dealt with.
    """

    segments: list[Stored]
    floor: int
    repairs: list[Repair]


class ArchiveFolder:
    """A folder of segments, made if it does not exist. Errors are those of memory/archive/errors.py."""

    def __init__(self, path: Path, kind: Format) -> None:
        self._path, self._kind = path, kind
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = [(match, file) for file in sorted(path.iterdir()) if (match := _parsed(file))]
            self._broken = [file for match, file in found if match[4]]
            self.broken_bytes = sum(disk.size(file) for file in self._broken)
        except OSError as error:
            raise explained(error, path) from error
        self._next = 1 + max((int(match[1]) for match, _ in found), default=-1)
        self._files = {file: _name(match) for match, file in found if not match[4]}

    def load(self) -> Contents:
        """Take what is whole. Raises ForeignArchive, before anything is touched, where another format is found."""
        newest: dict[int, SegmentName] = {}
        for file, name in self._files.items():
            if file.suffix == ".log":
                newest[name.sequence] = max(name, newest.get(name.sequence, name))
        logs = {name: self._log(name) for name in sorted(newest.values())}
        for file, name in self._files.items():
            if name not in logs or file.suffix == ".tmp":
                self._delete(file)
        held: list[Stored] = []
        repairs: list[Repair] = []
        floor = 0
        for name, (log, header) in logs.items():
            if header is None:
                repairs.append(self.set_aside(name, "its log cannot be read"))
                continue
            stored = self._opened(name, log, header, repairs)
            if stored is not None:
                self._keep(held, stored, repairs)
                floor = max(floor, header.floor)
        # It will be written to, and its rows are read now anyway.
        while held and held[-1].unchecked:
            try:
                held[-1], more = checked(held[-1])
                repairs += more
            except ArchiveFailed as error:
                repairs.append(self.set_aside(held.pop().files.name, str(error)))
        return Contents(held, floor, repairs)

    def draft(self, floor: int, instead: SegmentName | None = None) -> SegmentFiles:
        """Files of a new segment, or of one that will stand instead of another; they exist when they are committed."""
        name = SegmentName(self._next, 0)
        if instead is not None:
            name = SegmentName(instead.sequence, instead.generation + 1)
        files = SegmentFiles.draft(self._path, name, self._kind, floor)
        self._next = max(self._next, name.sequence + 1)
        return files

    def sync(self) -> None:
        """Bring the folder's entries safely to the disk."""
        try:
            disk.sync(self._path)
        except OSError as error:
            raise explained(error, self._path) from error

    def set_aside(self, name: SegmentName, why: str) -> Repair:
        """Rename the files of a segment, so that nobody takes them for one."""
        for kind in ("rows", "jpegs", "log"):
            file = self._path / f"{name}.{kind}"
            if file.exists():
                aside = file.with_name(file.name + ".broken")
                try:
                    disk.rename(file, aside)
                except OSError as error:
                    raise explained(error, file) from error
                self._broken.append(aside)
                self.broken_bytes += disk.size(aside)
        return Repair(self._path / f"{name}.log", f"set aside as *.broken: {why}")

    def remove_broken(self) -> None:
        """Delete what was set aside."""
        for file in self._broken:
            self._delete(file)
        self._broken, self.broken_bytes = [], 0

    def _log(self, name: SegmentName) -> tuple[bytes, Header | None]:
        """A segment's log and its header, none if it cannot be read."""
        path = self._path / f"{name}.log"
        try:
            log = path.read_bytes()
        except PermissionError as error:
            raise explained(error, path) from error
        except OSError:
            return b"", None
        header, own = header_of(log), self._kind.described()
        if header is not None and header.described != own:
            raise ForeignArchive(
                f"{path} holds another memory ({header.described}) than is wanted here ({own}): "
                "name another folder, or remove this one to begin anew"
            )
        return log, header

    def _opened(
        self, name: SegmentName, log: bytes, header: Header, repairs: list[Repair]
    ) -> Stored | None:
        try:
            stored, made = opened(self._path, name, self._kind, log, header)
        except ArchiveFailed as error:
            repairs.append(self.set_aside(name, str(error)))
            return None
        repairs += made
        return stored

    def _keep(self, held: list[Stored], stored: Stored, repairs: list[Repair]) -> None:
        """Put a segment behind those before it, if it belongs there; an empty one is none once another follows."""
        if held and not len(held[-1].tokens):
            empty = held.pop().files
            repairs.append(self.set_aside(empty.name, "nothing of it can be read"))
        if held and len(stored.tokens):
            last, first = held[-1].tokens[-1], stored.tokens[0]
            if first["number"] <= last["number"] or first["time"] < last["time"]:
                repairs.append(self.set_aside(stored.files.name, "it is out of stream order"))
                return
        held.append(stored)

    def _delete(self, file: Path) -> None:
        try:
            disk.remove(file)
        except OSError as error:
            raise explained(error, file) from error


def _parsed(file: Path) -> re.Match[str] | None:
    return _FILE.fullmatch(file.name)


def _name(match: re.Match[str]) -> SegmentName:
    return SegmentName(int(match[1]), int(match[2]))
