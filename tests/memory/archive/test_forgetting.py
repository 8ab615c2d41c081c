"""Forgetting: what is erased is nowhere any more, and a crash on the way leaves each segment old or new."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.archive import ArchiveFull, Vault, disk
from tests.memory.archive.making import (
    ROW_BYTES,
    Twin,
    block,
    fill,
    frame_of,
    jpeg,
    numbers_on_pages,
    pictures,
    row_bytes,
    tail_numbers,
    vault,
)


def everything(folder: Path) -> bytes:
    """The bytes of all files."""
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


@settings(deadline=None, max_examples=30)
@given(
    tokens=st.integers(1, 70),
    spans=st.lists(st.tuples(st.integers(-1, 24), st.integers(0, 12)), min_size=1, max_size=3),
    in_files=st.booleans(),
    more=st.integers(0, 20),
)
def test_what_is_forgotten_is_nowhere(
    tokens: int, spans: list[tuple[int, int]], in_files: bool, more: int
) -> None:
    """Pages, tail, pictures and numbers are those of the naive twin; no file holds the rows or pictures of what is gone."""
    with TemporaryDirectory() as name:
        folder = Path(name) if in_files else None
        store, twin = fill(vault(folder, host_bytes=3000 if in_files else 1 << 40), tokens), Twin()
        twin.append(range(tokens))
        for start, length in spans:
            end_page = store.end_page
            gone = store.forget(start, start + length)
            assert gone == twin.forget(start, start + length)
            assert store.first_page == (end_page if gone else store.first_page)
            assert (store.end_number, store.stats().tokens) == (
                tokens,
                sum(map(len, twin.segments)),
            )
        fill(store, more)
        twin.append(range(tokens, tokens + more))
        for each in (store, vault(folder)) if in_files else (store,):
            assert each.repairs == ()
            assert each.end_number == tokens + more
            assert numbers_on_pages(each) == twin.pages()
            assert tail_numbers(each) == twin.tail(None, 1 << 40)
        kept = {number for segment in twin.segments for number in segment}
        data = everything(folder) if folder else b""
        shown = {frame_of(number) for number in kept}
        for number in range(tokens):
            frame = frame_of(number)
            assert store.picture(frame) == (jpeg(frame) if frame in shown else None)
            if folder:
                assert (row_bytes(number) in data) == (number in kept)
                assert (jpeg(frame) in data) == (frame in shown)


def test_a_picture_goes_with_the_first_of_its_tokens(tmp_path: Path) -> None:
    """Of a frame that is half forgotten the picture is gone: it would show all of it."""
    for store in (vault(tmp_path), vault()):
        made = block(0, 6)
        store.append(replace(made, times=torch.arange(6).double()), 0, pictures(0, 6))
        assert store.forget(2, 2) == 1
        assert (store.picture(0), store.picture(1)) == (None, jpeg(1))
        assert store.stats().tokens == 5


def test_tokens_that_were_forgotten_do_not_come_back(tmp_path: Path) -> None:
    """The newest tokens, forgotten, are passed over when they are given again, also after opening again."""
    store = fill(vault(tmp_path), 40)
    assert store.forget(0, 1e9) == 40
    for each in (store, vault(tmp_path)):
        assert (each.end_number, each.stats().tokens) == (40, 0)
        assert numbers_on_pages(each) == []
    assert len(list(tmp_path.iterdir())) == 1
    assert numbers_on_pages(fill(store, 5)) == [[40, 41, 42, 43]]


def test_what_was_spoilt_is_erased_too(tmp_path: Path) -> None:
    """Rows that were left out, and files that were set aside, may be of the time that is to be forgotten."""
    fill(vault(tmp_path), 48, at_once=6).close()
    rows, log = tmp_path / "00000000-0.rows", tmp_path / "00000002-0.log"
    for file, at in ((rows, 5 * ROW_BYTES), (log, 0)):
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.write_bytes(data)
    store = vault(tmp_path)
    pages = numbers_on_pages(store)
    assert len(store.repairs) == 2
    data = everything(tmp_path)
    assert row_bytes(4) in data
    assert row_bytes(40) in data
    assert jpeg(14) in data
    # Frame 1 is tokens 3 to 5, of which none can be read any more.
    assert store.forget(1, 1) == 0
    data = everything(tmp_path)
    assert not any(row_bytes(number) in data for number in (0, 3, 4, 5, 40))
    assert not any(jpeg(frame) in data for frame in (0, 1, 14))
    assert vault(tmp_path).repairs == ()
    assert numbers_on_pages(store) == pages == numbers_on_pages(vault(tmp_path))


class Crash(BaseException):
    """The power goes."""


def crash_after(steps: int, patch: pytest.MonkeyPatch) -> None:
    """Let so many changes to the disk happen, half of the next one if it is a write, and no more."""
    left = [steps]

    def counted(change: Callable[..., None]) -> Callable[..., None]:
        def step(path: Path, *rest: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                if change is write_at and left[0] == -1:
                    offset, data = rest
                    write_at(path, offset, bytes(data)[: len(data) // 2])  # type: ignore[arg-type]
                raise Crash
            change(path, *rest)

        return step

    write_at = disk.write_at
    for name in ("write_at", "cut", "rename", "remove", "sync"):
        patch.setattr(disk, name, counted(getattr(disk, name)))


def segments_of(store: Vault) -> list[list[int]]:
    """The numbers of all tokens, by segment."""
    return [segment.tokens["number"].tolist() for segment in store._series.segments]


def forgets(folder: Path, steps: int) -> bool:
    """Fill a vault and forget most of it; whether so many changes to the disk are enough."""
    store = fill(vault(folder), 60)
    with pytest.MonkeyPatch.context() as patch:
        crash_after(steps, patch)
        try:
            store.forget(3, 16)
        except Crash:
            return False
    return True


def test_a_crash_leaves_each_segment_old_or_new(tmp_path: Path) -> None:
    """Wherever forgetting breaks off: opening again finds each segment as it was or as it should be, and forgetting again
    finishes it.
    """
    old, new = Twin(), Twin()
    for twin in (old, new):
        twin.append(range(60))
    new.forget(3, 16)  # tokens 9 to 50: of the four segments two go, and two are cut
    for steps in count():
        folder = tmp_path / str(steps)
        finished = forgets(folder, steps)
        committed = set(folder.glob("*-1.log"))
        store = vault(folder)
        assert store.repairs == ()
        assert committed <= set(folder.iterdir())
        found = segments_of(store)
        assert all(segment in (*old.segments, *new.segments) for segment in found)
        assert {n for each in found for n in each} >= {n for each in new.segments for n in each}
        assert (found == new.segments) >= finished
        numbers_on_pages(store)
        store.forget(3, 16)
        assert (segments_of(store), store.end_number) == (new.segments, 60)
        data = everything(folder)
        assert not any(row_bytes(number) in data for number in range(9, 51))
        assert not any(jpeg(frame) in data for frame in range(3, 17))
        if finished:
            break
    assert steps > 20


@pytest.mark.parametrize("steps", range(5))
def test_a_crash_while_a_segment_is_dropped_leaves_it_whole_or_gone(
    tmp_path: Path, steps: int
) -> None:
    """The log goes first: rows without it are garbage, which opening removes."""
    store = fill(vault(tmp_path, disk_bytes=6000), 32)
    with pytest.MonkeyPatch.context() as patch:
        crash_after(3 + steps, patch)
        with pytest.raises(Crash):
            fill(store, 48)
    again = vault(tmp_path)
    numbers = [number for segment in segments_of(again) for number in segment]
    assert numbers == list(range(numbers[0], again.end_number))
    known = {file.stem for file in tmp_path.glob("*.log")}
    assert {file.stem for file in tmp_path.iterdir()} == known


def test_forgetting_on_a_full_disk_forgets_nothing_halfway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room to rewrite a segment it stays as it is, readable, and forgetting again works when there is room."""
    store = fill(vault(tmp_path), 20)
    with monkeypatch.context() as patch:

        def refuse(path: Path, offset: int, data: bytes | memoryview) -> None:
            raise OSError(28, "no")

        patch.setattr(disk, "write_at", refuse)
        with pytest.raises(ArchiveFull):
            store.forget(1, 1)
    assert numbers_on_pages(store) == [list(range(n, n + 4)) for n in range(0, 20, 4)]
    assert store.forget(1, 1) == 3
    assert row_bytes(4) not in everything(tmp_path)
    assert vault(tmp_path).repairs == ()


def test_the_others_pages_are_read_after_forgetting(tmp_path: Path) -> None:
    """Ids of before are refused rather than answered with other pages."""
    store = fill(vault(tmp_path), 40)
    store.forget(0, 0)
    with pytest.raises(AssertionError, match="are there"):
        store.read(torch.zeros(2, 1, dtype=torch.int64))
    assert store.pages_within((1, 5), 1 << 40) == range(10, 13)
