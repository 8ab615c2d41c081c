"""A memory on disk: killed at any byte it comes back, bit for bit; what cannot be read is said, and never believed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from memory import (
    KVBlock,
    PositionAgnosticRetrieval,
    StateFolder,
    StreamMemory,
    VisionSinkBucketing,
)
from memory.record import write_record
from tests.memory.making import block, memory, question

FRAMES = 4


def empty() -> StreamMemory:
    """A small bounded memory."""
    return memory(VisionSinkBucketing(), PositionAgnosticRetrieval(16, 4), budget=24)


def blocks(count: int) -> Iterator[KVBlock]:
    """A stream's chunks."""
    for number in range(count):
        yield block(FRAMES, first=FRAMES * number)


OPEN: list[StateFolder] = []


@pytest.fixture(autouse=True)
def _leave() -> Iterator[None]:
    """No file stays open behind a test."""
    yield
    _leave_all()


def _leave_all() -> None:
    while OPEN:
        OPEN.pop().leave()


def opened(path: Path, store: StreamMemory, every: int = 5) -> StateFolder:
    """The folder's state, in the memory; who had it open before is dead."""
    _leave_all()
    state = StateFolder(path, clock=lambda: 0.0, snapshot_blocks=every)
    OPEN.append(state)
    state.restore(store)
    return state


def show(state: StateFolder, store: StreamMemory, count: int, first: int = 0) -> None:
    """Remember chunks first .. count - 1."""
    for number, one in enumerate(blocks(count)):
        if number >= first:
            state.journal(store.appended, one)
            store.append(one)
            state.settle(store)


def shown(count: int) -> StreamMemory:
    """A memory that no disk has seen."""
    store = empty()
    for one in blocks(count):
        store.append(one)
    return store


def same(one: StreamMemory, other: StreamMemory) -> bool:
    """Bit for bit, and in what a question reads."""
    (facts, tensors), (facts_too, tensors_too) = one.state(), other.state()
    recall, recall_too = one.recall(question()), other.recall(question())
    return (
        facts == facts_too
        and all(torch.equal(tensors[name], tensors_too[name]) for name in tensors)
        and torch.equal(recall.keys, recall_too.keys)
    )


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 23])
@pytest.mark.parametrize("closed", [True, False])
def test_what_was_remembered_comes_back_and_goes_on(
    tmp_path: Path, count: int, closed: bool
) -> None:
    """After a stop, and after none: the same memory, bit for bit; and what follows is as if nothing had happened."""
    store = empty()
    state = opened(tmp_path, store)
    show(state, store, count)
    if closed:
        state.close(store)
    again = empty()
    state = opened(tmp_path, again)
    assert same(again, store)
    assert state.repairs == []
    show(state, again, count + 7, first=count)
    assert same(again, shown(count + 7))


@given(count=st.integers(0, 14), cut=st.integers(0, 3000), every=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_what_is_noted_belongs_to_the_newest_block(
    tmp_path_factory: pytest.TempPathFactory, count: int, cut: int, every: int
) -> None:
    """Torn at any byte, the note that comes back was written with the newest block that comes back, or there is neither."""
    path = tmp_path_factory.mktemp("state")
    store = empty()
    state = opened(path, store, every)
    for number, one in enumerate(blocks(count)):
        state.note = {"block": number}
        state.journal(store.appended, one)
        store.append(one)
        state.settle(store)
    journal = max(path.glob("*.journal"))
    with journal.open("r+b") as file:
        file.truncate(max(0, journal.stat().st_size - cut))
    again = empty()
    state = opened(path, again, every)
    newest = again.newest()
    assert state.note == (None if newest is None else {"block": newest.frame // FRAMES})


def test_a_folder_from_before_there_were_notes_is_read(tmp_path: Path) -> None:
    """Snapshot and journal of an older version hold none: the memory is the same, and nothing is noted."""
    store = empty()
    state = opened(tmp_path, store, every=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memory.state.write_record", without_notes)
        show(state, store, 4)
    again = empty()
    state = opened(tmp_path, again)
    assert same(again, store)
    assert (state.note, state.repairs) == (None, [])


def without_notes(file: IO[bytes], facts: dict[str, object], tensors: dict[str, Tensor]) -> None:
    """As records were written once."""
    write_record(file, {key: one for key, one in facts.items() if key != "note"}, tensors)  # type: ignore[arg-type]


@given(count=st.integers(1, 14), cut=st.integers(0, 3000), every=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_a_journal_torn_at_any_byte_gives_all_whole_blocks(
    tmp_path_factory: pytest.TempPathFactory, count: int, cut: int, every: int
) -> None:
    """A process that dies while it writes loses the block that it was writing, and no other; nothing half is believed."""
    path = tmp_path_factory.mktemp("state")
    store = empty()
    show(opened(path, store, every), store, count)
    journal = max(path.glob("*.journal"))
    size = journal.stat().st_size
    with journal.open("r+b") as file:
        file.truncate(max(0, size - cut))
    again = empty()
    state = opened(path, again)
    came = again.appended // (FRAMES * 4)
    assert same(again, shown(came))
    assert came >= (count // every) * every
    if cut == 0:
        assert came == count
        assert not state.repairs
    shutil.rmtree(path)


@given(
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
    which=st.sampled_from(["snapshot", "journal"]),
)
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int, which: str
) -> None:
    """Whatever bit flips in the newest files: what comes back is a memory that once was, and what was wrong is said. A spoilt
    snapshot costs nothing, since the one before it and the journals tell the same.
    """
    path = tmp_path_factory.mktemp("state")
    store = empty()
    show(opened(path, store), store, 13)
    file = max(path.glob(f"*.{which}"))
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content)
    again = empty()
    state = opened(path, again)
    came = again.appended // (FRAMES * 4)
    assert same(again, shown(came))
    assert state.repairs
    assert came == 13 if which == "snapshot" else 10 <= came < 13
    shutil.rmtree(path)


def test_a_journal_that_cannot_be_written_is_made_whole_by_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is an error that says so; the stream goes on in memory, and the next snapshot brings all of it to disk."""
    store = empty()
    state = opened(tmp_path, store, every=4)
    show(state, store, 2)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("memory.state.write_record", full)
        one = block(FRAMES, first=2 * FRAMES)
        with pytest.raises(OSError, match="No space"):
            state.journal(store.appended, one)
        assert "No space" in state.gap
        store.append(one)
    shutil.copytree(tmp_path, tmp_path / "copy")
    before = empty()
    copy = StateFolder(tmp_path / "copy", clock=lambda: 0.0)
    copy.restore(before)
    copy.leave()
    assert same(before, shown(2))
    show(state, store, 8, first=3)
    assert state.gap == ""
    again = empty()
    opened(tmp_path, again)
    assert same(again, shown(8))


def test_what_is_erased_is_in_no_file(tmp_path: Path) -> None:
    """After forgetting, a lone snapshot is left: no older one, no journal that could bring it back."""
    store = empty()
    state = opened(tmp_path, store)
    show(state, store, 9)
    secret = block(FRAMES, first=32).keys[0, 0, 0].numpy().tobytes()
    assert any(secret in file.read_bytes() for file in tmp_path.iterdir())
    store.forget((32.0, 32.0))
    state.snapshot(store, alone=True)
    assert not any(secret in file.read_bytes() for file in tmp_path.iterdir())
    again = empty()
    opened(tmp_path, again)
    assert same(again, store)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file in its place cannot be taken for an empty memory."""
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(OSError, match="state"):
        StateFolder(tmp_path / "state", clock=lambda: 0.0)


def test_what_was_set_aside_goes_too_when_something_is_erased(tmp_path: Path) -> None:
    """A spoilt snapshot may hold what nobody may see any more."""
    store = empty()
    show(opened(tmp_path, store), store, 13)
    newest = max(tmp_path.glob("*.snapshot"))
    newest.write_bytes(newest.read_bytes()[:-1])
    again = empty()
    state = opened(tmp_path, again)
    assert list(tmp_path.glob("*.broken"))
    again.forget((0.0, 3.0))
    state.snapshot(again, alone=True)
    assert not list(tmp_path.glob("*.broken"))


def test_a_snapshot_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a snapshot would keep a full disk full; what was there before it is still what a restart finds."""
    store = empty()
    state = opened(tmp_path, store)
    show(state, store, 3)

    def full(file: IO[bytes], *_: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("memory.state.write_record", full)
        with pytest.raises(OSError, match="No space"):
            state.snapshot(store)
    assert not list(tmp_path.glob("*.part"))
    again = empty()
    opened(tmp_path, again)
    assert same(again, store)
