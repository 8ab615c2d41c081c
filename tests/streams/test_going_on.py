"""Recordings that are gone on with: every picture behind the place and no other, as if there had been no break."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streams.frame import Frame
from streams.libav import Video
from streams.mailbox import Mailbox
from streams.open import open_source
from streams.place import Place
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.source import SourceOptions
from tests.streams.http_server import web_server
from tests.streams.pictures import FPS, SIZE, many, number_of, record, until
from tests.streams.scripted import Make, Scripted, state

COUNT = 1500


def read(url: str, behind: Place | None = None) -> list[Frame]:
    """All frames of a recording, or those behind a place."""
    with open_source(url, name="cam", options=SourceOptions(behind=behind)) as source:
        return list(source)


def encode(path: Path, count: int, *, codec: str, b_frames: int = 0) -> Path:
    """A recording of numbered pictures in the container that its name says."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 50
        stream.codec_context.max_b_frames = b_frames
        for index, image in enumerate(many(count)):
            picture = VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def number(frame: Frame) -> int:
    """A picture's place among all, from what it shows and when."""
    return round(frame.pts_s * FPS) // 256 * 256 + number_of(frame.image)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each packet gave that was decoded."""
    counts: list[int] = []
    real = Video.decode

    def counting(self: Video, *args: object, **more: object) -> list[VideoFrame]:
        pictures = real(self, *args, **more)  # type: ignore[arg-type]
        counts.append(len(pictures))
        return pictures

    monkeypatch.setattr(Video, "decode", counting)
    return counts


@pytest.mark.parametrize(
    ("name", "codec", "b_frames"),
    [
        ("a.mp4", "libx264", 0),
        ("b.mp4", "libx264", 3),
        ("b.mkv", "libx264", 2),
        ("b.avi", "mpeg4", 2),
        ("a.webm", "libvpx", 0),
    ],
)
def test_what_can_be_sought_is_not_decoded_from_its_start(
    tmp_path: Path, decoded: list[int], name: str, codec: str, b_frames: int
) -> None:
    """Only what a keyframe a second before the place leads to; and pictures and times are those of an unbroken reading."""
    path = str(encode(tmp_path / name, COUNT, codec=codec, b_frames=b_frames))
    whole = read(path)
    for at in (0, 3, 700, 1203, COUNT - 1):
        decoded.clear()
        rest = read(path, Place(whole[at].pts_s, whole[at].stamp_s))
        assert [number(frame) for frame in rest] == [number(frame) for frame in whole[at + 1 :]]
        assert [frame.pts_s for frame in rest] == pytest.approx(
            [frame.pts_s for frame in whole[at + 1 :]]
        )
        if at > 100:
            assert len(rest) < sum(decoded) < len(rest) + 160
    # A place in what came after a break serves as well.
    (after,) = (frame for frame in read(path, Place(whole[700].pts_s, whole[700].stamp_s))[300:301])
    assert len(read(path, Place(after.pts_s, after.stamp_s))) == COUNT - 1002


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.mpg", "mpeg2video")])
def test_what_cannot_be_sought_is_gone_through_again(
    tmp_path: Path, decoded: list[int], name: str, codec: str
) -> None:
    """Stamps may begin anew in such a container: one that is found there may be the wrong one."""
    path = str(encode(tmp_path / name, 200, codec=codec))
    whole = read(path)
    decoded.clear()
    rest = read(path, Place(whole[120].pts_s, whole[120].stamp_s))
    assert [number(frame) for frame in rest] == list(range(121, 200))
    assert sum(decoded) == 200


@pytest.mark.parametrize("parts", [True, False])
def test_a_recording_on_a_server_is_gone_on_with(
    tmp_path: Path, decoded: list[int], parts: bool
) -> None:
    """Sought where the server gives parts of it; where it does not, nothing is left out or comes twice for that."""
    path = tmp_path / "clip.mkv"
    encode(path, COUNT, codec="libx264")
    with web_server(path.read_bytes(), parts=parts) as server:
        url = f"{server}/clip.mp4"
        assert [number(frame) for frame in read(url, Place(48.0, 48.0))] == list(range(1201, COUNT))
    assert not parts or sum(decoded) < COUNT - 1100


def test_a_place_that_is_not_there_is_looked_for_from_the_start(tmp_path: Path) -> None:
    """A stamp that no picture has, or that lies behind the end: time decides, and nothing is left out."""
    path = str(record(tmp_path / "clip.mp4", 250))
    for stamp_s in (4.0 + 0.5 / FPS, 99.0, -5.0):
        assert [number(frame) for frame in read(path, Place(4.0, stamp_s))] == list(range(101, 250))
    assert read(path, Place(99.0, 99.0)) == []


def test_folders_and_made_up_recordings_go_on_too(tmp_path: Path) -> None:
    """Both are counted, not sought; a folder of which nothing is left has ended, and is not spoilt."""
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((4, 4, 3), np.uint8))
    for url, count in ((f"dir:{tmp_path}?fps=3", 6), ("test:?duration_s=2&fps=3", 6)):
        whole = read(url)
        assert len(whole) == count
        for at in range(count):
            rest = read(url, Place(whole[at].pts_s))
            assert [frame.pts_s for frame in rest] == [frame.pts_s for frame in whole[at + 1 :]]


def going_on(
    path: Path, place: Place, *, over: bool = False, **options: object
) -> tuple[StreamReader, Mailbox]:
    """A reader that begins behind a place, not started."""
    mailbox = Mailbox(1000, "block")
    chosen = ReaderOptions(**options)  # type: ignore[arg-type]
    reader = StreamReader(str(path), name="cam", mailbox=mailbox, options=chosen)
    reader.viewing.go_on(place, over)
    return reader, mailbox


@pytest.mark.parametrize("fps", [1.0, 3.0, 7.3])
def test_frames_after_a_break_are_those_that_would_have_come(tmp_path: Path, fps: float) -> None:
    """The same pictures are sampled as without a break, wherever it was."""
    path = record(tmp_path / "clip.mp4", 250)
    source = Mailbox(1000, "block")
    reader = StreamReader(str(path), name="cam", mailbox=source, options=ReaderOptions(fps=fps))
    reader.start()
    until(lambda: reader.viewing.finished)
    whole = source.take(1000)
    for at in (0, len(whole) // 2, len(whole) - 1):
        again, mailbox = going_on(path, Place(whole[at].pts_s, whole[at].stamp_s), fps=fps)
        again.start()
        until(state(again, "ended"))
        assert again.viewing.finished
        assert [number(frame) for frame in mailbox.take(1000)] == [
            number(frame) for frame in whole[at + 1 :]
        ]
        assert again.stop(10)
    assert reader.stop(10)


def test_what_was_watched_to_its_end_is_not_opened(tmp_path: Path) -> None:
    """It has ended at once; the file need not even be there."""
    reader, mailbox = going_on(tmp_path / "gone.mp4", Place(3.0), over=True)
    reader.start()
    until(state(reader, "ended"))
    status = reader.status()
    assert (status.error, status.received, len(mailbox)) == (None, 0, 0)
    assert reader.stop(10)


def test_only_a_recording_that_came_to_its_end_is_finished(run: Make, tmp_path: Path) -> None:
    """Not one that was stopped, failed or begins again: what it has not shown is still to be seen."""
    path = str(record(tmp_path / "clip.mp4", 50))
    stopped, mailbox = run(Scripted([[0.0, 0.1]], live=False, stays=True))
    until(lambda: len(mailbox) == 2)
    assert stopped.stop(10)
    looped, _ = run(path, loop=True)
    until(lambda: looped.status().sampled > 60)
    assert looped.stop(10)
    failed, _ = run(str(tmp_path / "none.mp4"))
    until(state(failed, "failed"))
    assert [one.viewing.finished for one in (stopped, looped, failed)] == [False] * 3
    read_out, _ = run(path)
    until(state(read_out, "ended"))
    assert read_out.viewing.finished


def test_a_paced_recording_goes_on_at_once(tmp_path: Path) -> None:
    """What was seen before is not waited for again: the first frame behind the place is due when it comes."""
    path = record(tmp_path / "clip.mp4", 1500)
    now = [100.0]
    reader, mailbox = going_on(
        path, Place(50.0, 50.0), fps=FPS, speed=1.0, monotonic=lambda: now[0]
    )
    reader.start()
    until(lambda: len(mailbox) == 1)
    assert number(mailbox.take(1)[0]) == 1251
    assert reader.stop(10)
