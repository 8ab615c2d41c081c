"""Vault: what was appended is found again, by page, by time and by number, under its caps."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.archive import ForeignArchive, Vault
from memory.kv import KVShape
from memory.pages import page_means
from tests.memory.archive.making import (
    ENOUGH,
    PAGE,
    ROW_BYTES,
    SHAPE,
    Twin,
    block,
    fill,
    jpeg,
    kv,
    numbers_on_pages,
    options,
    pictures,
    tail_numbers,
    vault,
)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    reopened=st.sets(st.integers(0, 7)),
    in_files=st.booleans(),
    span=st.tuples(st.integers(-1, 60), st.integers(-1, 60)),
    before=st.integers(0, 200),
)
def test_reads_are_those_of_a_list_of_tokens(
    sizes: list[int], reopened: set[int], in_files: bool, span: tuple[int, int], before: int
) -> None:
    """Whatever sizes of blocks come, replayed and reopened: pages, tail and spans are those of the naive twin."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "vault" if in_files else None
        store, twin, end = vault(folder), Twin(), 0
        for turn, size in enumerate(sizes):
            if in_files and turn in reopened:
                store.close()
                store = vault(folder)
                assert store.repairs == ()
                assert store.end_number == end
            # Half of the tokens before are given again, and passed over.
            again = end // 2
            store.append(
                block(again, end - again + size), again, pictures(again, end - again + size)
            )
            twin.append(range(end, end + size))
            end += size
        assert numbers_on_pages(store) == twin.pages()
        for limit in (span, None):
            ids = store.pages_within(limit, before)
            found = store.read(torch.tensor(ids).expand(2, -1)).numbers[0].reshape(-1, PAGE)
            assert found.tolist() == twin.within(limit, before)
            assert tail_numbers(store, limit, before) == twin.tail(limit, before)
        assert all(store.picture(frame) == jpeg(frame) for frame in range((end - 1) // 3 + 1))
        assert store.stats().tokens == end


@pytest.mark.parametrize("in_files", [False, True])
def test_layers_read_pages_of_their_own(tmp_path: Path, in_files: bool) -> None:
    """A layer's rows are its own pages', in the order of the ids, from segments in memory and in files."""
    store = fill(vault(tmp_path if in_files else None, host_bytes=0 if in_files else ENOUGH), 70)
    pages = torch.tensor([[0, 9, 16], [16, 3, 4]])
    found = store.read(pages)
    assert found.numbers[1].tolist() == [*range(64, 68), *range(12, 16), *range(16, 20)]
    for layer in range(2):
        for place, number in enumerate(found.numbers[layer].tolist()):
            assert torch.equal(found.keys[layer, :, place], kv(number)[0][layer])
            assert torch.equal(found.values[layer, :, place], kv(number)[1][layer])


def test_means_are_the_pages_mean_keys(tmp_path: Path) -> None:
    """A page is represented by the mean of its keys, whether it is in memory, spilled or read again."""
    keys = block(0, 160).keys
    wanted = page_means(keys, PAGE)
    store = fill(vault(tmp_path, host_bytes=0), 163)
    assert torch.equal(store.means(0, 40), wanted)
    assert torch.equal(store.means(7, 9), wanted[:, 7:9])
    store.close()
    assert torch.equal(vault(tmp_path).means(0, 40), wanted)


@pytest.mark.parametrize("in_files", [False, True])
def test_the_cap_on_bytes_drops_the_oldest_segments(tmp_path: Path, in_files: bool) -> None:
    """The caps hold after every append, whole segments go, ids and picture go with them, and ids are not dealt again."""
    cap = 3 * 16 * ROW_BYTES + 4000
    store = (
        vault(tmp_path, disk_bytes=cap, host_bytes=20 * ROW_BYTES)
        if in_files
        else vault(host_bytes=cap)
    )
    for _ in range(40):
        fill(store, 5)
        stats = store.stats()
        assert (stats.disk_bytes if in_files else stats.host_bytes) <= cap
        if in_files:
            there = sum(file.stat().st_size for file in tmp_path.iterdir())
            assert there == stats.disk_bytes
            assert stats.host_bytes <= 20 * ROW_BYTES
    first = store.first_page
    assert 0 < first == store.end_page - stats.pages
    on_pages = numbers_on_pages(store)
    assert on_pages[0] == [first * PAGE + n for n in range(PAGE)]
    assert on_pages[-1][-1] == 199
    assert store.picture(0) is None
    assert store.picture(66) == jpeg(66)
    with pytest.raises(AssertionError, match="are there"):
        store.read(torch.tensor([[first - 1], [first]]))


def test_what_is_older_than_is_kept_goes(tmp_path: Path) -> None:
    """Segments whose last token is more seconds of UTC behind the newest one than are kept are dropped."""
    store = fill(vault(tmp_path, keep_s=20), 160)
    # The newest is of 1053: the segment of tokens 80 to 95 ends at 1031, the next one at 1037.
    assert store.stats().from_utc == 1000 + 96 // 3
    assert fill(vault(keep_s=0), 160).stats().from_utc == 1000


def test_the_newest_segment_never_goes(tmp_path: Path) -> None:
    """Caps of nothing leave the segment that is written, and it can be read."""
    for store in (vault(tmp_path, disk_bytes=0, host_bytes=0), vault(host_bytes=0)):
        fill(store, 21)
        assert numbers_on_pages(store) == [[16, 17, 18, 19]]
        assert tail_numbers(store) == [20]


@pytest.mark.parametrize(
    ("shape", "dtype", "sizes"),
    [
        (KVShape(3, 4, 2, 4), torch.float32, {}),
        (SHAPE, torch.bfloat16, {}),
        (SHAPE, torch.float32, {"storage": "int8"}),
    ],
)
def test_another_models_archive_is_refused(
    tmp_path: Path, shape: KVShape, dtype: torch.dtype, sizes: dict[str, str]
) -> None:
    """A folder of another format raises an error that names both, and is left as it is."""
    fill(vault(tmp_path), 20).close()
    (tmp_path / "00000009-0.rows").write_bytes(b"garbage")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ForeignArchive) as caught:
        Vault(shape, dtype, options(tmp_path, **sizes))  # type: ignore[arg-type]
    assert "2 layers, 4 heads, 2 kv heads of 4, float32, stored exact" in str(caught.value)
    assert f"{shape.layers} layers" in str(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_smaller_storage_is_read_back_alike(tmp_path: Path) -> None:
    """Keys stored with fewer bits come back the same before and after the vault was opened again."""
    store = fill(Vault(SHAPE, torch.float32, options(tmp_path, storage="int4")), 40)
    pages = torch.arange(10).expand(2, -1)
    before = store.read(pages)
    store.close()
    after = Vault(SHAPE, torch.float32, options(tmp_path, storage="int4")).read(pages)
    assert torch.equal(before.keys, after.keys)
    assert torch.equal(before.values, after.values)
    exact = block(0, 40)
    assert ((after.keys - exact.keys).abs() <= 0.51 * exact.keys.abs().amax(-1, True) / 7).all()


def test_numbers_may_have_holes_but_times_never_fall() -> None:
    """What was never appended is simply not there; a stream that runs backwards is a mistake."""
    store = fill(vault(), 8)
    store.append(block(20, 8), 20)
    assert numbers_on_pages(store)[2:] == [[20, 21, 22, 23], [24, 25, 26, 27]]
    assert store.pages_within(None, 22) == range(0, 2)
    with pytest.raises(AssertionError, match="times fall"):
        store.append(block(0, 4), 40)


def test_a_span_holds_both_of_its_ends() -> None:
    """Pages that begin at a span's first second or end at its last one are inside, also at a segment's edges."""
    store = fill(vault(), 96)
    # Pages of four tokens, frames of three: page 3 is of seconds 4 to 5, page 4, the next segment's first, of 5 to 6.
    for page in range(24):
        first, last = 4 * page // 3, (4 * page + 3) // 3
        assert page in store.pages_within((first, last), ENOUGH)
        assert page not in store.pages_within((first + 0.5, last), ENOUGH)
        assert page not in store.pages_within((first, last - 0.5), ENOUGH)
        assert page in store.pages_within(None, 4 * page + 4)
        assert page not in store.pages_within(None, 4 * page + 3)


def test_an_empty_vault_answers(tmp_path: Path) -> None:
    """Before anything was appended there are no pages, no tail, no means and no picture."""
    for store in (vault(tmp_path), vault()):
        assert store.pages_within((0, 9), 9) == range(0, 0)
        assert len(store.tail(None, 9)) == 0
        assert len(store.read(torch.empty(2, 0, dtype=torch.int64))) == 0
        assert store.means(0, 0).shape == (2, 0, 8)
        assert store.picture(0) is None
        assert store.forget(0, 9) == 0
        assert (store.stats().tokens, store.stats().from_s) == (0, None)
