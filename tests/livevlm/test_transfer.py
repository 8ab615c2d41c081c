"""Memories of a stopped daemon: told, written to a tar file, taken in again, and what is no such file refused."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from livevlm.errors import ConfigError, StreamNotFound
from livevlm.messages import Look, Measure, Measured, Picture
from livevlm.persistence import StateDir
from livevlm.stored import stored_sizes
from livevlm.transfer import export_memories, restore_memories
from tests.livevlm.test_errands import do, engine

PRINT = {"model": "toy", "memory.retention": "vsb"}


def remembered(path: Path, *names: str, count: int = 20, killed: bool = False) -> Measured:
    """Fill a state directory as a daemon would; what it said of its memories at the end."""
    state = StateDir(path, PRINT)
    made, _ = engine(*names, count=count, state=path)
    told = do(made, Measure(), Measured)
    if killed:
        for ingest in (one.ingest for one in made._roster):
            assert ingest._keeper is not None
            ingest._keeper._state.leave()
    else:
        made.close()
    state.close()
    return told


def files_in(path: Path) -> dict[str, bytes]:
    """All memories in a state directory, by name."""
    found = [one for one in (path / "streams").rglob("*") if one.is_file()]
    return {str(one.relative_to(path)): one.read_bytes() for one in found}


@pytest.mark.parametrize("killed", [False, True])
def test_what_is_stored_is_told_without_the_model(tmp_path: Path, killed: bool) -> None:
    """The same streams, tokens, times and pictures that the daemon told of; after a kill, with the journal's tokens apart."""
    alive = remembered(tmp_path, "cam", "yard", killed=killed).memories
    stored = stored_sizes(tmp_path, None)
    assert [one.stream for one in stored] == ["cam", "yard"]
    for one, other in zip(stored, alive, strict=True):
        assert (one.as_of, one.from_s, one.to_s) == (other.as_of, other.from_s, other.to_s)
        assert (one.pictures, one.tokens["archive"]) == (other.pictures, other.tokens["archive"])
        device = {tier: one.tokens[tier] for tier in ("prompt", "short", "long")}
        if killed:
            assert (one.tokens["journal"], device["short"]) == (20 * 16, 0)
        else:
            assert device == {tier: other.tokens[tier] for tier in device}
            assert one.tokens["journal"] == 0
        assert one.disk_bytes == sum(
            len(content)
            for name, content in files_in(tmp_path).items()
            if name.startswith(f"streams/{one.stream}/")
        )
    assert stored_sizes(tmp_path, "yard") == stored[1:]


def test_a_memory_that_was_moved_is_the_memory_that_it_was(tmp_path: Path) -> None:
    """Byte for byte in a new folder, where an engine goes on with it."""
    before = remembered(tmp_path / "old", "cam", "yard")
    assert export_memories(tmp_path / "old", tmp_path / "m.tar", stream=None, force=False) == [
        "cam",
        "yard",
    ]
    assert restore_memories(tmp_path / "new", tmp_path / "m.tar", force=False) == ["cam", "yard"]
    assert files_in(tmp_path / "new") == files_in(tmp_path / "old")
    StateDir(tmp_path / "new", PRINT).close()
    made, _ = engine("cam", "yard", count=0, state=tmp_path / "new")
    after = do(made, Measure(), Measured)
    assert [(one.stream, one.tokens, one.to_s, one.pictures) for one in after.memories] == [
        (one.stream, one.tokens, one.to_s, one.pictures) for one in before.memories
    ]
    assert do(made, Look(stream="cam", frame=7), Picture).jpeg is not None
    made.close()


def test_one_stream_can_be_moved_beside_others(tmp_path: Path) -> None:
    """It joins those of the same model and settings; they stay as they are."""
    remembered(tmp_path / "a", "cam", "yard")
    remembered(tmp_path / "b", "hall")
    hall = files_in(tmp_path / "b")
    export_memories(tmp_path / "a", tmp_path / "m.tar", stream="yard", force=False)
    assert restore_memories(tmp_path / "b", tmp_path / "m.tar", force=False) == ["yard"]
    found = files_in(tmp_path / "b")
    assert {name.split("/")[1] for name in found} == {"hall", "yard"}
    assert found.items() >= hall.items()


def test_a_stream_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    """Refused it is untouched; replaced it is the other one, and nothing of the old one is left."""
    remembered(tmp_path / "old", count=20)
    remembered(tmp_path / "new", count=8)
    export_memories(tmp_path / "old", tmp_path / "m.tar", stream=None, force=False)
    before = files_in(tmp_path / "new")
    with pytest.raises(ConfigError, match=r"cam: remembered in .* already.*--force"):
        restore_memories(tmp_path / "new", tmp_path / "m.tar", force=False)
    assert files_in(tmp_path / "new") == before
    restore_memories(tmp_path / "new", tmp_path / "m.tar", force=True)
    assert files_in(tmp_path / "new") == files_in(tmp_path / "old")
    assert sorted(one.name for one in (tmp_path / "new").iterdir()) == [
        "fingerprint.json",
        "lock",
        "streams",
    ]


def test_another_model_s_memory_is_refused(tmp_path: Path) -> None:
    """Both are named, and nothing is changed."""
    remembered(tmp_path / "old")
    export_memories(tmp_path / "old", tmp_path / "m.tar", stream=None, force=False)
    StateDir(tmp_path / "new", PRINT | {"model": "other"}).close()
    with pytest.raises(ConfigError, match=r"model is toy there, other here.*new folder"):
        restore_memories(tmp_path / "new", tmp_path / "m.tar", force=True)
    StateDir(tmp_path / "new", PRINT | {"model": "other"}).close()
    assert files_in(tmp_path / "new") == {}


def test_a_daemon_that_runs_is_not_disturbed(tmp_path: Path) -> None:
    """Its folder is neither read nor written."""
    remembered(tmp_path / "a")
    export_memories(tmp_path / "a", tmp_path / "m.tar", stream=None, force=False)
    running = StateDir(tmp_path / "a", PRINT)
    deeds: list[Callable[[], object]] = [
        lambda: stored_sizes(tmp_path / "a", None),
        lambda: export_memories(tmp_path / "a", tmp_path / "n.tar", stream=None, force=False),
        lambda: restore_memories(tmp_path / "a", tmp_path / "m.tar", force=True),
    ]
    for deed in deeds:
        with pytest.raises(ConfigError, match="in use by another daemon"):
            deed()
    running.close()
    assert not (tmp_path / "n.tar").exists()


def test_the_file_is_its_owner_s_and_is_not_overwritten(tmp_path: Path) -> None:
    """It holds what a camera saw."""
    remembered(tmp_path / "a")
    file = tmp_path / "m.tar"
    export_memories(tmp_path / "a", file, stream=None, force=False)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="there already"):
        export_memories(tmp_path / "a", file, stream=None, force=False)
    export_memories(tmp_path / "a", file, stream=None, force=True)
    with tarfile.open(file) as tar:
        assert {(one.uid, one.uname, one.mtime) for one in tar} == {(0, "", 0)}


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """An unknown stream, a folder that is none, a file that cannot be made or read."""
    remembered(tmp_path / "a")
    with pytest.raises(StreamNotFound, match="there are: cam"):
        stored_sizes(tmp_path / "a", "yard")
    with pytest.raises(StreamNotFound, match="there are: cam"):
        export_memories(tmp_path / "a", tmp_path / "m.tar", stream="yard", force=False)
    with pytest.raises(ConfigError, match="no state directory"):
        stored_sizes(tmp_path / "none", None)
    assert not (tmp_path / "none").exists()
    with pytest.raises(ConfigError, match="cannot be written"):
        export_memories(tmp_path / "a", tmp_path / "no" / "m.tar", stream=None, force=False)
    with pytest.raises(ConfigError, match="cannot be restored"):
        restore_memories(tmp_path / "b", tmp_path / "m.tar", force=False)


def manifest(files: dict[str, int], **changes: object) -> bytes:
    """What comes first in a file."""
    return json.dumps({"format": "1", "fingerprint": PRINT, "files": files, **changes}).encode()


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """One member of a tar file."""
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for key, value in fields.items():
        setattr(made, key, value)
    return made, content


def write_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A tar file of these."""
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


GOOD = "streams/cam/memory/00000001.snapshot"
BAD_NAMES = [
    "/etc/passwd",
    "../outside",
    "streams/../../outside",
    "streams/cam/memory/../../../../outside",
    "streams/cam/memory/..",
    "streams/cam/outside",
    "streams/cam/memory/deep/file",
    "streams/../memory/file",
    "fingerprint.json",
    "lock",
    "streams/cam/memory/a\nb",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_file_that_reaches_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing of it is written, not even its good part."""
    said = manifest({GOOD: 1, name: 1})
    file = write_tar(tmp_path / "m.tar", member("manifest.json", said), member(GOOD), member(name))
    with pytest.raises(ConfigError, match="no place in a memory"):
        restore_memories(tmp_path / "deep" / "state", file, force=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.tar"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_a_file_with_links_or_devices_is_refused(tmp_path: Path, kind: bytes) -> None:
    """Even under a good name."""
    odd = member(GOOD, b"", type=kind, linkname="/etc/passwd")
    file = write_tar(tmp_path / "m.tar", member("manifest.json", manifest({GOOD: 0})), odd)
    with pytest.raises(ConfigError, match="no plain file"):
        restore_memories(tmp_path / "state", file, force=True)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], "no manifest.json"),
        ([member(GOOD)], "no manifest.json"),
        ([member(GOOD), member("manifest.json", manifest({GOOD: 1}))], "no manifest.json"),
        ([member("manifest.json", manifest({GOOD: 1}))], "cut off"),
        ([member("manifest.json", manifest({GOOD: 2})), member(GOOD)], "cut off"),
        ([member("manifest.json", manifest({})), member(GOOD)], "cut off"),
        ([member("manifest.json", manifest({GOOD: 1})), member(GOOD), member(GOOD)], "cut off"),
        ([member("manifest.json", manifest({}, format="2"))], "format is 2"),
        ([member("manifest.json", b"[]")], "cannot be read"),
        ([member("manifest.json", b"{")], "cannot be read"),
        ([member("manifest.json", manifest({}, fingerprint=7))], "cannot be read"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], said: str
) -> None:
    """Before anything is made."""
    file = write_tar(tmp_path / "m.tar", *members)
    with pytest.raises(ConfigError, match=said):
        restore_memories(tmp_path / "state", file, force=True)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("left", [0.0, 0.3, 0.9])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, left: float) -> None:
    """Half a copy is none, and the folder stays new."""
    remembered(tmp_path / "a")
    file = tmp_path / "m.tar"
    export_memories(tmp_path / "a", file, stream=None, force=False)
    whole = file.read_bytes().rstrip(b"\0")
    file.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(ConfigError):
        restore_memories(tmp_path / "b", file, force=False)
    StateDir(tmp_path / "b", {"model": "another"}).close()
    assert files_in(tmp_path / "b") == {}


def test_a_disk_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The streams of before, and no half of the new ones; a new folder stays open to any model."""
    remembered(tmp_path / "old", count=20)
    remembered(tmp_path / "new", count=8)
    export_memories(tmp_path / "old", tmp_path / "m.tar", stream=None, force=False)
    before = files_in(tmp_path / "new")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("livevlm.transfer.shutil.copyfileobj", full)
    with pytest.raises(ConfigError, match="No space left"):
        restore_memories(tmp_path / "new", tmp_path / "m.tar", force=True)
    assert files_in(tmp_path / "new") == before
    assert not (tmp_path / "new" / "restoring").exists()
    with pytest.raises(ConfigError, match="No space left"):
        restore_memories(tmp_path / "fresh", tmp_path / "m.tar", force=False)
    StateDir(tmp_path / "fresh", {"model": "another"}).close()
