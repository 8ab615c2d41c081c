"""StateFolder: a stream's memory on disk. A snapshot of all that is on the device, and a journal of the blocks appended since.

A block is journalled before it is appended; so a process that dies at any moment loses nothing that was written, and replaying
the journal over the snapshot gives the same memory, bit for bit, since appending follows from memory and block alone. A
snapshot is written beside the old one and renamed; the one before it stays until the next, for the case that it cannot be
read. What cannot be read is set aside and said.

Files of generation n: `n.snapshot` (not of generation 0, which begins empty) and `n.journal`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from memory.kv import KVBlock
from memory.record import Record, TornRecord, read_record, write_record
from memory.store import StreamMemory

BLOCK = ("keys", "values", "queries", "times", "utcs", "frames")
STATE = (".snapshot", ".journal", ".part")
SYNC_S = 2.0  # how much of a stream may be lost when the machine itself loses power


class StateFolder:
    """The files of one memory. Not thread-safe; nobody else may have the folder open.

    gap: why the journal is not written any more, until a snapshot has made it whole; empty while all is well. repairs: what was
    not as it should be when the memory was restored. note: facts that belong to the newest block, for JSON: they are written
    with the next block and into every snapshot, so that `restore` gives back those of the newest block that it gives back.
    """

    def __init__(
        self, folder: Path, *, clock: Callable[[], float], snapshot_blocks: int = 256
    ) -> None:
        """folder: made if it is not there. clock: monotonic seconds. snapshot_blocks: a snapshot is taken after so many.

        Raises OSError where the folder cannot be made or written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._clock, self._snapshot_blocks = folder, clock, snapshot_blocks
        self._generation = 0
        self._journal: BinaryIO | None = None
        self._blocks = 0
        self._synced = clock()
        self.gap = ""
        self.repairs: list[str] = []
        self.note: Mapping[str, Any] | None = None

    def restore(self, memory: StreamMemory) -> int:
        """Fill an empty memory with what the files hold; how many blocks the journals gave. Raises OSError."""
        generations = sorted(int(path.stem) for path in self._folder.glob("*.snapshot"))
        begun = 0
        for generation in reversed(generations):
            record = self._snapshot_of(generation)
            if record is not None:
                memory.restore(record.facts, record.tensors)
                self.note = record.facts.get("note")
                begun = generation
                break
        journals = sorted(int(path.stem) for path in self._folder.glob("*.journal"))
        replayed = sum(self._replay(one, memory) for one in journals if one >= begun)
        memory.catch_up()
        self._generation = max([begun, *generations, *journals])
        self.snapshot(memory)
        return replayed

    def journal(self, first_number: int, block: KVBlock) -> None:
        """Write down a block, numbered from first_number on, that is about to be appended.

        Raises OSError; then blocks go by unwritten until the next snapshot, without which a replay would miss one.
        """
        if self.gap:
            return
        assert self._journal is not None, "restore comes first"
        tensors = {name: getattr(block, name).cpu() for name in BLOCK}
        try:
            write_record(self._journal, {"first": first_number, "note": self.note}, tensors)
            self._journal.flush()
            if self._clock() - self._synced >= SYNC_S:
                os.fsync(self._journal.fileno())
                self._synced = self._clock()
        except OSError as error:
            self.gap = str(error)
            raise
        self._blocks += 1

    def settle(self, memory: StreamMemory) -> None:
        """Take a snapshot if it is time for one. Raises OSError; it is tried again in a while."""
        self._blocks += bool(self.gap)
        if self._blocks >= self._snapshot_blocks:
            self._blocks = 0
            self.snapshot(memory)

    def snapshot(self, memory: StreamMemory, *, alone: bool = False) -> None:
        """Write all of the memory and begin a new journal. alone: nothing older stays, nor what was set aside,
        since something was erased.

        Raises OSError; then the files are as they were.
        """
        following = self._generation + 1
        whole, part = self._path(following, "snapshot"), self._path(following, "part")
        try:
            self._write(part, memory)
        except OSError:
            # What is there of it would keep a full disk full.
            part.unlink(missing_ok=True)
            raise
        # What the snapshot counts on must not be younger on disk than itself.
        memory.sync()
        journal = self._path(following, "journal").open("wb")
        part.replace(whole)
        self._sync_folder()
        self._close_journal()
        self._journal, self._generation, self._blocks, self.gap = journal, following, 0, ""
        self._remove_before(following if alone else following - 1)
        if alone:
            for spoilt in self._folder.glob("*.broken"):
                spoilt.unlink()
            self._sync_folder()

    def close(self, memory: StreamMemory) -> None:
        """Write a last snapshot and let go of the files. Raises OSError."""
        try:
            self.snapshot(memory)
        finally:
            self.leave()

    def leave(self) -> None:
        """Let go of the files as they are: whoever opens them replays the journal."""
        self._close_journal()

    def _write(self, path: Path, memory: StreamMemory) -> None:
        facts, tensors = memory.state()
        with path.open("wb") as file:
            write_record(file, facts | {"note": self.note}, tensors)
            file.flush()
            os.fsync(file.fileno())

    def _path(self, generation: int, kind: str) -> Path:
        return self._folder / f"{generation:08d}.{kind}"

    def _snapshot_of(self, generation: int) -> Record | None:
        path = self._path(generation, "snapshot")
        try:
            with path.open("rb") as file:
                record = read_record(file)
        except TornRecord as error:
            self.repairs.append(f"{path}: set aside, {error}; the snapshot before it is used")
            path.replace(path.with_suffix(".broken"))
            return None
        return record

    def _replay(self, generation: int, memory: StreamMemory) -> int:
        count = 0
        for record in self._records(self._path(generation, "journal")):
            number = int(record.facts["first"])
            if number < memory.appended:
                continue
            if number > memory.appended:
                self.repairs.append(f"a gap before token {number}: what follows it is left out")
                break
            memory.append(KVBlock(**record.tensors))
            self.note = record.facts.get("note")
            count += 1
        return count

    def _records(self, path: Path) -> Iterator[Record]:
        with path.open("rb") as file:
            while True:
                try:
                    record = read_record(file)
                except TornRecord as error:
                    # The last record of a process that was killed looks like this; nothing was lost that it had reported.
                    self.repairs.append(f"{path}: read up to byte {file.tell()}, {error}")
                    return
                if record is None:
                    return
                yield record

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _remove_before(self, generation: int) -> None:
        for path in self._folder.iterdir():
            if path.suffix in STATE and int(path.stem) < generation:
                path.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
