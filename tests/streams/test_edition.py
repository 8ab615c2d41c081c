"""Which recording is behind an address: known again while it is the same, and another one when it has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.edition import edition_of


def test_a_file_is_known_by_place_size_and_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However its path is written. A byte more, a later change or another path, and it is another recording."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"film")
    first = edition_of(str(path))
    monkeypatch.chdir(tmp_path)
    assert first is not None
    assert edition_of("a.mp4") == edition_of(f"file://{path}") == first
    os.utime(path, (1, 1))
    touched = edition_of(str(path))
    path.write_bytes(b"film!")
    os.utime(path, (1, 1))
    longer = edition_of(str(path))
    other = tmp_path / "b.mp4"
    other.write_bytes(b"film!")
    os.utime(other, (1, 1))
    assert len({first, touched, longer, edition_of(str(other))}) == 4


def test_a_folder_is_known_by_its_pictures(tmp_path: Path) -> None:
    """One more, or another rate, and it is another recording; what is no picture does not count."""
    (tmp_path / "1.png").write_bytes(b"a")
    first = edition_of(f"dir:{tmp_path}")
    (tmp_path / "notes.txt").write_text("x")
    assert first is not None
    assert edition_of(f"dir:{tmp_path}") == first
    assert edition_of(f"dir:{tmp_path}?fps=2") != first
    (tmp_path / "2.png").write_bytes(b"a")
    assert edition_of(f"dir:{tmp_path}") != first


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://camera/main",
        "webcam:0",
        "test:?live=1",
        "-",
        "http://camera/video",
        "dir:/?live=1",
        "/no/such.mp4",
        "dir:/no/such",
    ],
)
def test_what_is_live_or_comes_once_or_is_not_there_is_no_edition(url: str) -> None:
    """There is nothing that could be gone on with."""
    assert edition_of(url) is None


def test_addresses_differ_also_in_what_is_hidden_and_none_is_kept() -> None:
    """Recordings on a server are told apart by what may be a secret, which is not to be found in what is written down."""
    one, two = (
        edition_of(f"http://anna:hunter2@host/watch.mp4?id={word}")
        for word in ("secret1", "secret2")
    )
    assert one is not None
    assert one != two
    assert one == edition_of("http://anna:hunter2@host/watch.mp4?id=secret1")
    assert "hunter2" not in repr(one)
    assert "secret1" not in repr(one)
    assert edition_of("http://host/a.mp4") != edition_of("http://host/b.mp4")
    assert edition_of("test:?duration_s=3") == edition_of("test:?duration_s=3") is not None
