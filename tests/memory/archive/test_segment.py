"""Segments: appending and reading, spilling, and a disk that refuses."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC, EROFS
from pathlib import Path

import pytest
import torch

from memory.archive import (
    ArchiveError,
    ArchiveFailed,
    ArchiveFull,
    ArchiveReadOnly,
    Segment,
    disk,
)
from memory.archive.files import SegmentFiles
from tests.memory.archive.making import (
    ROW_BYTES,
    assert_true,
    block,
    fill,
    jpeg,
    numbers_on_pages,
    pictures,
    tail_numbers,
    vault,
)


@contextmanager
def files_no_longer_than(limit: int) -> Iterator[None]:
    """The operating system refuses to write any file beyond a length."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file's bytes."""
    return {file: file.read_bytes() for file in folder.iterdir()}


def test_a_spilled_segment_reads_as_before(tmp_path: Path) -> None:
    """Rows read from files are those that were in memory, and no memory is taken for them."""
    in_memory, spilled = vault(tmp_path / "a"), vault(tmp_path / "b", host_bytes=0)
    for store in (in_memory, spilled):
        fill(store, 45)
    assert in_memory.stats().host_bytes == 3 * 16 * ROW_BYTES
    assert spilled.stats().host_bytes == 16 * ROW_BYTES
    assert numbers_on_pages(in_memory) == numbers_on_pages(spilled)


def test_a_segment_in_memory_alone_cannot_spill() -> None:
    """There is nowhere to spill to: asking for it is a mistake."""
    with pytest.raises(AssertionError, match="nowhere"):
        Segment((2, 64), 16).spill()


@pytest.mark.parametrize("allowed", [0, 1, 500, 16 * ROW_BYTES - 1])
def test_a_full_disk_takes_nothing_and_the_next_append_works(tmp_path: Path, allowed: int) -> None:
    """An append that breaks off, wherever it does, leaves vault and files as they were; with room again all goes on."""
    store = fill(vault(tmp_path, segment_tokens=64), 10)
    stats, files = store.stats(), contents(tmp_path)
    rows = 10 * ROW_BYTES
    with files_no_longer_than(rows + allowed), pytest.raises(ArchiveFull, match="free some space"):
        store.append(block(10, 30), 10, pictures(10, 30))
    assert store.stats() == stats
    assert contents(tmp_path) == files
    assert tail_numbers(store) == [8, 9]
    store.append(block(10, 30), 10, pictures(10, 30))
    again = vault(tmp_path, segment_tokens=64)
    assert again.repairs == ()
    assert numbers_on_pages(again) == [list(range(n, n + 4)) for n in range(0, 40, 4)]
    assert again.picture(12) == jpeg(12)


@pytest.mark.parametrize("kind", ["jpegs", "log", "log.tmp"])
@pytest.mark.parametrize(
    ("number", "error"), [(ENOSPC, ArchiveFull), (EROFS, ArchiveReadOnly), (5, ArchiveFailed)]
)
def test_each_file_may_be_the_one_that_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    number: int,
    error: type[ArchiveError],
) -> None:
    """Whichever file cannot be written: the error says why, names it, and doing the append again repairs it."""
    store = fill(vault(tmp_path), 10)
    write = disk.write_at

    def refuse(path: Path, offset: int, data: bytes | memoryview) -> None:
        if path.name.endswith(f".{kind}"):
            write(path, offset, bytes(data)[: len(data) // 2])
            raise OSError(number, "no")
        write(path, offset, data)

    with monkeypatch.context() as patched:
        patched.setattr(disk, "write_at", refuse)
        with pytest.raises(error, match=str(tmp_path)):
            store.append(block(10, 20), 10, pictures(10, 20))
        # Where a new segment could not be begun, what went into the one before stays.
        assert store.end_number == (16 if kind == "log.tmp" else 10)
        assert vault(tmp_path).end_number == store.end_number
    store.append(block(10, 20), 10, pictures(10, 20))
    again = vault(tmp_path)
    assert again.repairs == ()
    assert numbers_on_pages(again) == numbers_on_pages(store)
    assert (store.end_number, tail_numbers(again)) == (30, [28, 29])
    assert all(again.picture(frame) == jpeg(frame) for frame in range(10))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is a clear error, not a crash."""
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ArchiveError, match="taken"):
        vault(tmp_path / "taken")


def test_everything_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sync brings each file that changed to the disk, and the folder; what has not changed since is not synced again."""
    synced: list[str] = []
    store = fill(vault(tmp_path), 20)
    monkeypatch.setattr(disk, "sync", lambda path: synced.append(path.name))
    store.sync()
    assert set(synced) == {*(file.name for file in tmp_path.iterdir()), tmp_path.name}
    synced.clear()
    fill(store, 2)
    store.sync()
    assert set(synced) == {
        *(f"00000001-0.{kind}" for kind in ("rows", "jpegs", "log")),
        tmp_path.name,
    }


def test_a_smaller_segment_size_leaves_what_is_there(tmp_path: Path) -> None:
    """Segments written under another size are read as they are, and new ones are of the new size."""
    fill(vault(tmp_path, segment_tokens=32), 20).close()
    store = fill(vault(tmp_path, segment_tokens=8), 20)
    assert numbers_on_pages(store) == [list(range(n, n + 4)) for n in range(0, 40, 4)]
    assert store.stats().segments == 4


def test_rows_in_files_are_asked_for_before_they_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that all layers read, and no others: the disk reads all of them at once, not one behind the other."""
    store = fill(vault(tmp_path, host_bytes=0), 70)
    asked: list[tuple[str, int, int]] = []
    expect = SegmentFiles.expect

    def noted(files: SegmentFiles, first: int, end: int) -> None:
        asked.append((str(files.name), first, end))
        expect(files, first, end)

    monkeypatch.setattr(SegmentFiles, "expect", noted)
    assert_true(store.read(torch.tensor([[1, 2, 5, 16], [1, 2, 5, 16]])))
    assert asked == [("00000000-0", 4, 12), ("00000001-0", 4, 8)]
    asked.clear()
    assert_true(store.read(torch.tensor([[1, 2], [2, 1]])))
    assert asked == []
