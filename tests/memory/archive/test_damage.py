"""Opening what a crash, a disk or cosmic rays have left: repaired and reported, never a wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import Archive, ArchiveIndex
from memory.archive import Vault
from tests.memory.archive.making import (
    ROW_BYTES,
    SHAPE,
    assert_true,
    fill,
    frame_of,
    jpeg,
    numbers_on_pages,
    tail_numbers,
    vault,
)


def visible(store: Vault) -> list[int]:
    """The numbers of all tokens that can be read, checked: they rise, and what is read of them is true."""
    numbers = [number for page in numbers_on_pages(store) for number in page] + tail_numbers(store)
    assert numbers == sorted(set(numbers))
    for frame in range(200):
        assert store.picture(frame) in (None, jpeg(frame))
    return numbers


def damage(file: Path, where: float, how: str) -> None:
    """Cut a file at a share of its length, or flip a bit there."""
    data = bytearray(file.read_bytes())
    if not data:
        return
    at = min(len(data) - 1, int(where * len(data)))
    if how == "cut":
        file.write_bytes(data[:at])
    else:
        data[at] ^= 1 << (at % 8)
        file.write_bytes(data)


HARM = st.tuples(
    st.integers(0, 100), st.floats(0, 1, exclude_max=True), st.sampled_from(["cut", "flip"])
)


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    harm=st.lists(HARM, min_size=1, max_size=3),
    more=st.integers(1, 20),
)
def test_whatever_is_damaged_the_rest_is_true(
    sizes: list[int], harm: list[tuple[int, float, str]], more: int
) -> None:
    """Files cut or flipped anywhere: opening works, all that is read is true, a flipped bit loses one record at most, what
    is appended then is found, and opening again changes nothing more.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = vault(folder)
        for size in sizes:
            fill(store, size, at_once=size)
        whole, files = set(range(sum(sizes))), sorted(folder.iterdir())
        for which, where, how in harm:
            damage(files[which % len(files)], where, how)
        store = vault(folder)
        seen = set(visible(store))
        assert seen <= whole
        if len(harm) == 1 and harm[0][2] == "flip":
            assert store.repairs
            aside = any(file.suffix == ".broken" for file in folder.iterdir())
            # A record, and what no longer fills a page behind it; or the segment whose header it was.
            assert len(whole - seen) <= (16 if aside else max(sizes)) + 3
            assert seen == whole or files[harm[0][0] % len(files)].suffix != ".jpegs"
        end = store.end_number
        held = store.stats().tokens
        fill(store, more)
        assert (store.stats().tokens, store.end_number) == (held + more, end + more)
        before = visible(store)
        again = vault(folder)
        assert visible(again) == before
        assert set(again.repairs) <= set(store.repairs)


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    """A kill in the middle of an append leaves rows without a record: they are cut off, and said to be."""
    fill(vault(tmp_path), 10, at_once=5).close()
    log, rows = tmp_path / "00000000-0.log", tmp_path / "00000000-0.rows"
    log.write_bytes(log.read_bytes()[:-3])
    store = vault(tmp_path)
    assert {repair.path for repair in store.repairs} == {log, rows, log.with_suffix(".jpegs")}
    assert all("torn tail" in repair.what for repair in store.repairs)
    assert rows.stat().st_size == 5 * ROW_BYTES
    assert vault(tmp_path).repairs == ()
    assert numbers_on_pages(fill(store, 5)) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_flipped_bit_loses_its_record_alone(tmp_path: Path) -> None:
    """What follows a spoilt append is still there, from memory and from the files. The newest segment is checked when it is
    opened, the others when something is read.
    """
    fill(vault(tmp_path), 40, at_once=4).close()
    for name in ("00000000-0.rows", "00000002-0.rows"):
        damage(tmp_path / name, 5.5 * ROW_BYTES / (tmp_path / name).stat().st_size, "flip")
    store = vault(tmp_path)
    newest, older = "left out the spoilt tokens 36 to 39", "left out the spoilt tokens 4 to 7"
    assert [repair.what for repair in store.repairs] == [newest]
    assert visible(store) == [*range(4), *range(8, 36)]
    assert [repair.what for repair in store.repairs] == [newest, older]
    assert visible(fill(store, 8)) == [*range(4), *range(8, 44)]


READINGS: dict[str, Callable[[Vault], object]] = {
    "pages": lambda store: store.pages_within(None, 99),
    "span": lambda store: store.pages_within((3.0, 4.0), 99),
    "first": lambda store: store.first_page,
    "end": lambda store: store.end_page,
    "tail": lambda store: store.tail(None, 99),
    "forget": lambda store: store.forget(90.0, 99.0),
}


@pytest.mark.parametrize("reading", list(READINGS))
def test_whatever_is_read_first_finds_what_is_spoilt(tmp_path: Path, reading: str) -> None:
    """No page is named and nothing is copied of a segment that nobody has checked."""
    fill(vault(tmp_path), 40, at_once=4).close()
    damage(tmp_path / "00000000-0.rows", 0.5, "flip")
    store = vault(tmp_path)
    assert store.repairs == ()
    READINGS[reading](store)
    assert [repair.what for repair in store.repairs] == ["left out the spoilt tokens 8 to 11"]
    assert visible(store) == [*range(8), *range(12, 40)]


def test_what_waits_to_be_checked_is_checked_bit_by_bit(tmp_path: Path) -> None:
    """One segment a call, the newest first, while the stream goes on; one that the cap takes meanwhile is passed over."""
    fill(vault(tmp_path), 80, at_once=4).close()
    damage(tmp_path / "00000003-0.rows", 0, "flip")
    damage(tmp_path / "00000000-0.rows", 0, "flip")
    store = vault(tmp_path, disk_bytes=vault(tmp_path).stats().disk_bytes)
    assert store.check_next()
    assert len(store.repairs) == 1
    fill(store, 4)
    assert store.stats().tokens == 80 - 16 - 4 + 4
    assert [store.check_next() for _ in range(3)] == [True, True, False]
    assert len(store.repairs) == 1
    assert visible(store) == [*range(16, 48), *range(52, 84)]


def test_a_segment_of_which_nothing_is_left_is_set_aside(tmp_path: Path) -> None:
    """Those before and behind it are read, and the next start does not meet it again."""
    fill(vault(tmp_path), 48, at_once=16).close()
    damage(tmp_path / "00000001-0.rows", 0.5, "flip")
    store = vault(tmp_path)
    assert visible(store) == [*range(16), *range(32, 48)]
    assert [repair.what for repair in store.repairs] == [
        "left out the spoilt tokens 16 to 31",
        "set aside as *.broken: nothing of it can be read",
    ]
    again = vault(tmp_path)
    assert visible(again) == visible(store)
    assert again.repairs == ()


def test_what_cannot_even_be_set_aside_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that can only be read stops no question."""
    fill(vault(tmp_path), 48, at_once=16).close()
    damage(tmp_path / "00000001-0.rows", 0.5, "flip")
    store = vault(tmp_path)
    monkeypatch.setattr("memory.archive.disk.rename", read_only)
    assert visible(store) == [*range(16), *range(32, 48)]
    assert "cannot be written" in store.repairs[-1].what


def test_an_index_has_nothing_of_what_is_spoilt(tmp_path: Path) -> None:
    """A search after a damaged start, whether all was tidied up before or not, finds every page that is whole and no other."""
    fill(vault(tmp_path, segment_tokens=400), 1200).close()
    damage(tmp_path / "00000001-0.rows", 0.5, "flip")
    for tidied in (True, False):
        store = vault(tmp_path, segment_tokens=400)
        archive = Archive(store, ArchiveIndex(SHAPE.layers, SHAPE.kv_heads * SHAPE.head_dim))
        steps = 0
        while tidied and archive.tidy():
            steps += 1
        pages = archive.pages(None, 1200)
        assert not tidied or steps == 2 + len(pages) // 64
        found = archive.search(torch.ones(SHAPE.layers, 8), len(pages), pages)
        assert set(found.pages[0].tolist()) == set(pages)
        assert_true(archive.read(found.pages))
        assert len(archive.repairs) == 1


def read_only(*_: object) -> None:
    """A disk that cannot be written."""
    raise OSError(30, "Read-only file system")


def test_a_spoilt_record_in_the_log_loses_itself_alone(tmp_path: Path) -> None:
    """The records behind a spoilt one are found, even if what is spoilt is its length."""
    fill(vault(tmp_path), 16, at_once=4).close()
    log = tmp_path / "00000000-0.log"
    data = bytearray(log.read_bytes())
    second = data.index(b"\xa7REC", data.index(b"\xa7REC") + 1)
    data[second + 5] ^= 4
    log.write_bytes(data)
    store = vault(tmp_path)
    assert visible(store) == [*range(4), *range(8, 16)]
    assert [repair.what for repair in store.repairs] == [
        f"left out a spoilt record at byte {second}"
    ]


def test_a_stray_record_is_left_out(tmp_path: Path) -> None:
    """A record that stands where it does not belong doubles no token and costs none."""
    fill(vault(tmp_path), 12, at_once=4).close()
    log = tmp_path / "00000000-0.log"
    data = log.read_bytes()
    first = data.index(b"\xa7REC")
    second = data.index(b"\xa7REC", first + 1)
    log.write_bytes(data + data[first:second])
    store = vault(tmp_path)
    assert [repair.what for repair in store.repairs] == [f"left out a stray record at {len(data)}"]
    assert visible(store) == list(range(12))
    assert visible(fill(store, 4)) == list(range(16))


def test_a_log_without_a_header_is_set_aside(tmp_path: Path) -> None:
    """A segment that nobody can read is renamed and reported; the others are read; its name is not used again."""
    fill(vault(tmp_path), 48).close()
    damage(tmp_path / "00000002-0.log", 0, "flip")
    store = vault(tmp_path)
    assert [repair.path.name for repair in store.repairs] == ["00000002-0.log"]
    assert "set aside" in store.repairs[0].what
    assert (store.end_number, visible(store)) == (32, list(range(32)))
    assert visible(fill(store, 16)) == list(range(48))
    assert (tmp_path / "00000002-0.log.broken").exists()
    assert (tmp_path / "00000003-0.log").exists()


def test_what_was_set_aside_goes_first_at_the_cap(tmp_path: Path) -> None:
    """What nobody can read does not push out what can be read."""
    fill(vault(tmp_path), 48).close()
    damage(tmp_path / "00000000-0.log", 0, "flip")
    broken = vault(tmp_path)
    size = broken.stats().disk_bytes
    assert broken.stats().tokens == 32
    store = fill(vault(tmp_path, disk_bytes=size), 3)
    assert visible(store)[0] == 16
    assert not list(tmp_path.glob("*.broken"))


@pytest.mark.parametrize("kind", ["rows", "jpegs", "log"])
def test_a_file_that_is_gone_is_missed_quietly(tmp_path: Path, kind: str) -> None:
    """Deleting any file by hand loses what was in it and nothing else."""
    fill(vault(tmp_path), 48).close()
    (tmp_path / f"00000001-0.{kind}").unlink()
    store = vault(tmp_path)
    wanted = list(range(48)) if kind == "jpegs" else [*range(16), *range(32, 48)]
    assert visible(store) == wanted
    assert store.picture(frame_of(20)) == (jpeg(frame_of(20)) if kind == "rows" else None) or kind


def test_a_directory_in_the_place_of_a_log_is_set_aside(tmp_path: Path) -> None:
    """What cannot be read at all is renamed, not stumbled over."""
    fill(vault(tmp_path), 20).close()
    (tmp_path / "00000001-0.log").unlink()
    (tmp_path / "00000001-0.log").mkdir()
    store = vault(tmp_path)
    assert visible(store) == list(range(16))
    assert "set aside" in store.repairs[0].what


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """Only the archive's own names are touched."""
    fill(vault(tmp_path), 5).close()
    mine = [tmp_path / name for name in ("notes.txt", "1-0.rows", "photo.jpegs", "x.log.tmp")]
    for file in mine:
        file.write_text("mine")
    assert vault(tmp_path).repairs == ()
    assert all(file.read_text() == "mine" for file in mine)
