"""Pictures in a folder as a recording, and as a camera."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from streams.address import parse_address
from streams.errors import AddressUnsupported, NoVideo, SourceCorrupt, SourceNotFound
from streams.folder import Arrivals, FolderSource, natural
from streams.frame import Frame
from streams.open import open_source
from streams.orientation import orientation, upright
from streams.source import SourceOptions
from tests.streams.pictures import SIZE, number_of, numbered


def encoded(number: int, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, numbered(number))[1].tobytes()


def put(folder: Path, name: str, data: bytes) -> None:
    """The file appears whole, as most programs that write pictures for others make it appear."""
    (folder / f".{name}.part").write_bytes(data)
    (folder / f".{name}.part").rename(folder / name)


def read(folder: Path, query: str = "", options: SourceOptions | None = None) -> list[Frame]:
    with open_source(f"dir:{folder}{query}", name="cam", options=options) as source:
        assert not source.live
        return list(source)


def test_a_frame_for_each_picture_in_natural_order(tmp_path: Path) -> None:
    """img2 stands before img10, and everything that is no picture is passed over."""
    for number in (10, 2, 1, 30):
        (tmp_path / f"img{number}.png").write_bytes(encoded(number))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(encoded(7))
    (tmp_path / "folder.png").mkdir()
    frames = read(tmp_path)
    assert [number_of(frame.image) for frame in frames] == [1, 2, 10, 30]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.pts_s for frame in frames] == [0.0, 1.0, 2.0, 3.0]
    assert [frame.pts_s for frame in read(tmp_path, "?fps=4")] == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".gif"])
def test_formats(suffix: str, tmp_path: Path) -> None:
    """The usual ones can be read."""
    (tmp_path / f"a{suffix}").write_bytes(encoded(181, suffix))
    assert number_of(read(tmp_path)[0].image) == 181


def test_pictures_of_other_sizes(tmp_path: Path) -> None:
    """Each has its own size, or all the one that was asked for."""
    (tmp_path / "1.png").write_bytes(encoded(3))
    large = cv2.resize(numbered(4), (200, 301), interpolation=cv2.INTER_NEAREST)
    (tmp_path / "2.png").write_bytes(cv2.imencode(".png", large)[1].tobytes())
    assert [frame.image.shape for frame in read(tmp_path)] == [(96, 128, 3), (301, 200, 3)]
    scaled = read(tmp_path, options=SourceOptions(size=(60, 40)))
    assert [frame.image.shape for frame in scaled] == [(40, 60, 3)] * 2
    assert [number_of(frame.image) for frame in scaled] == [3, 4]


def test_colours_are_rgb(tmp_path: Path) -> None:
    """Red is red, not blue."""
    red = np.full((20, 30, 3), (30, 60, 200), np.uint8)
    (tmp_path / "red.png").write_bytes(cv2.imencode(".png", red)[1].tobytes())
    assert read(tmp_path)[0].image[10, 10].tolist() == [200, 60, 30]


def test_only_kept_pictures_become_frames(tmp_path: Path) -> None:
    """`keep` is asked once for each, with its time."""
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    asked: list[float] = []

    def every_other(pts_s: float) -> bool:
        asked.append(pts_s)
        return pts_s % 2 == 0

    frames = read(tmp_path, options=SourceOptions(keep=every_other))
    assert [frame.index for frame in frames] == [0, 2, 4]
    assert asked == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_corrupt_pictures_are_counted_and_skipped(tmp_path: Path) -> None:
    """A truncated photograph is not remembered with its lower half grey; time stands still for nobody."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "1.png").write_bytes(encoded(1))
    (tmp_path / "2.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "3.jpg").write_bytes(b"")
    (tmp_path / "4.jpg").write_text("not a picture")
    (tmp_path / "5.jpg").symlink_to(tmp_path / "nothing.jpg")
    (tmp_path / "6.png").write_bytes(encoded(6)[:-40])
    (tmp_path / "7.png").write_bytes(encoded(7))
    lost: Counter[str] = Counter()
    frames = read(tmp_path, options=SourceOptions(on_drop=lambda reason: lost.update([reason])))
    assert [number_of(frame.image) for frame in frames] == [1, 7]
    assert [frame.index for frame in frames] == [0, 1]
    assert lost == {"corrupt": 4}


def test_a_picture_that_would_take_gigabytes_is_skipped(tmp_path: Path) -> None:
    """A small file may claim a huge picture."""
    bomb = bytearray(encoded(1))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "1.png").write_bytes(bomb)
    (tmp_path / "2.png").write_bytes(encoded(2))
    assert [number_of(frame.image) for frame in read(tmp_path)] == [2]


def exif(order: str, value: int) -> bytes:
    """A TIFF structure that says how a picture is to be turned."""
    endian = "big" if order == "MM" else "little"
    head = order.encode() + (42).to_bytes(2, endian) + (8).to_bytes(4, endian)
    entry = (0x0112).to_bytes(2, endian) + (3).to_bytes(2, endian) + (1).to_bytes(4, endian)
    return head + (1).to_bytes(2, endian) + entry + value.to_bytes(2, endian) + bytes(6)


def photograph(order: str, value: int, image: np.ndarray) -> bytes:
    data = cv2.imencode(".jpg", image)[1].tobytes()
    tiff = b"Exif\0\0" + exif(order, value)
    return data[:2] + b"\xff\xe1" + (len(tiff) + 2).to_bytes(2, "big") + tiff + data[2:]


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("order", ["II", "MM"])
def test_photographs_are_turned_as_they_say(order: str, value: int, tmp_path: Path) -> None:
    """All eight ways, mirrored ones too; OpenCV, which knows them as well, agrees."""
    photo = photograph(order, value, numbered(77))
    (tmp_path / "a.jpg").write_bytes(photo)
    expected = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    image = read(tmp_path)[0].image
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected[..., ::-1]).mean() < 3
    small = read(tmp_path, options=SourceOptions(size=(40, 30)))[0].image
    assert small.shape == (30, 40, 3)
    assert np.abs(small.astype(int) - cv2.resize(expected, (40, 30))).mean() < 12


def test_orientation_of_what_says_nothing_or_nonsense() -> None:
    """Upright."""
    for data in (b"", b"\xff\xd8Exif\0\0MM\0*", encoded(1), b"II*\0\xff\xff\xff\xff"):
        assert orientation(data) == 1
    assert orientation(photograph("MM", 9, numbered(1))) == 1
    assert orientation(b"RIFF....WEBPEXIF\0\0\0\0" + exif("II", 6)) == 6
    assert orientation(b"\x89PNG....eXIf" + exif("MM", 3)) == 3
    assert upright(numbered(1), 6).shape == (SIZE[0], SIZE[1], 3)


def test_folders_without_pictures(tmp_path: Path) -> None:
    """Each says what is wrong with it."""
    with pytest.raises(NoVideo, match=r"no pictures.*\.jpg"):
        read(tmp_path)
    with pytest.raises(SourceNotFound, match="no such folder"):
        read(tmp_path / "nowhere")
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(SourceCorrupt, match="none of its 1 pictures"):
        read(tmp_path)
    with pytest.raises(SourceNotFound, match="without dir:"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("query", ["?fps=0", "?fps=many", "?fps=nan", "?speed=2"])
def test_parameters_that_make_no_sense(query: str, tmp_path: Path) -> None:
    """Told before the folder is looked into."""
    with pytest.raises(AddressUnsupported, match="fps"):
        open_source(f"dir:{tmp_path}{query}", name="cam")


def test_natural_order() -> None:
    """Numbers as numbers, whatever stands around them."""
    names = ["b1", "a10b2", "a2b10", "A2b9", "2", "10", "a", "a02"]
    assert sorted(names, key=natural) == ["2", "10", "a", "a02", "A2b9", "a2b10", "a10b2", "b1"]


def test_a_new_picture_is_ready_once_it_no_longer_changes() -> None:
    """What is still being written is waited for; what was written anew is new again; what went is forgotten."""
    arrivals = Arrivals({"old": (1, 1)})
    assert arrivals.ready({"old": (1, 1), "b10": (2, 5), "b9": (2, 5)}) == []
    assert arrivals.ready({"old": (1, 1), "b10": (2, 5), "b9": (2, 6)}) == ["b10"]
    assert arrivals.ready({"old": (3, 1), "b10": (2, 5), "b9": (2, 6)}) == ["b9"]
    assert arrivals.ready({"old": (3, 1), "b10": (2, 5), "b9": (2, 6)}) == ["old"]
    assert arrivals.ready({}) == []
    assert arrivals.ready({"b9": (2, 6)}) == []
    assert arrivals.ready({"b9": (2, 6)}) == ["b9"]


class Clock:
    """Time that passes only while somebody sleeps; each nap, the next thing happens."""

    def __init__(self, happenings: Iterator[object]) -> None:
        self.now_s = 100.0
        self.over = threading.Event()
        self._happenings = happenings

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if next(self._happenings, self) is self:
            self.over.set()


def watch(folder: Path, query: str, happenings: Iterator[object]) -> tuple[list[Frame], int]:
    """The frames of a live folder while things happen in it, and how many pictures were corrupt."""
    lost: Counter[str] = Counter()
    clock = Clock(happenings)
    options = SourceOptions(
        cancelled=clock.over.is_set, on_drop=lambda reason: lost.update([reason])
    )
    source = FolderSource(
        parse_address(f"dir:{folder}{query}"),
        name="cam",
        options=options,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
    )
    with source:
        assert source.live
        return list(source), lost["corrupt"]


def test_a_live_folder_gives_what_is_there_and_then_what_comes(tmp_path: Path) -> None:
    """New pictures come when they are whole, with the time that passed; one that is written anew comes again."""
    for number in range(3):
        put(tmp_path, f"{number}.png", encoded(number))

    def happen() -> Iterator[object]:
        yield None
        put(tmp_path, "3.png", encoded(3))
        yield from range(10)
        (tmp_path / "4.png").write_bytes(encoded(4)[:50])
        yield None
        (tmp_path / "4.png").write_bytes(encoded(4))
        yield from range(5)
        put(tmp_path, "0.png", encoded(200))
        yield from range(5)

    frames, corrupt = watch(tmp_path, "?live=1&fps=2", happen())
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4, 200]
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.pts_s for frame in frames[:3]] == [0.0, 0.5, 1.0]
    times = [frame.pts_s for frame in frames]
    assert times == sorted(times)
    assert times[4] - times[3] == pytest.approx(11 * 0.2, abs=0.5)
    assert corrupt == 0


def test_only_what_is_new(tmp_path: Path) -> None:
    """A camera that has put its snapshots there for years begins with the newest of them."""
    for place, number in enumerate((5, 9, 7)):
        put(tmp_path, f"{number}.png", encoded(number))
        os.utime(tmp_path / f"{number}.png", (1000 + place, 1000 + place))

    def happen() -> Iterator[object]:
        yield None
        put(tmp_path, "1.png", encoded(1))
        yield from range(4)

    frames, _ = watch(tmp_path, "?live=new", happen())
    assert [number_of(frame.image) for frame in frames] == [7, 1]


def test_a_live_folder_may_begin_empty_and_its_loss_is_told(tmp_path: Path) -> None:
    """It is waited for; where the folder goes away the reader must know that it is lost."""
    folder = tmp_path / "snapshots"
    folder.mkdir()

    def happen() -> Iterator[object]:
        put(folder, "1.png", encoded(1))
        yield from range(4)
        (folder / "1.png").unlink()
        folder.rmdir()
        yield from range(4)

    with pytest.raises(SourceNotFound, match="no such folder"):
        watch(folder, "?live=1", happen())


def test_a_damaged_picture_that_appears_is_counted_once(tmp_path: Path) -> None:
    """Not at every look."""

    def happen() -> Iterator[object]:
        put(tmp_path, "1.png", b"nothing")
        yield from range(8)

    assert watch(tmp_path, "?live=1", happen()) == ([], 1)


def test_cancelling_a_folder(tmp_path: Path) -> None:
    """Stopping does not wait for the last picture."""
    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(encoded(number))
    seen: list[Frame] = []
    options = SourceOptions(cancelled=lambda: len(seen) >= 3)
    with open_source(f"dir:{tmp_path}", name="cam", options=options) as source:
        for frame in source:
            seen.append(frame)
    assert len(seen) == 3
