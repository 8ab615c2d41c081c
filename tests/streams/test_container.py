"""Frames out of files: whole, damaged and none at all."""

from __future__ import annotations

import gc
import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from streams.address import parse_address
from streams.container import ContainerSource
from streams.errors import CodecUnsupported, NoVideo, SourceCorrupt, SourceNotFound, StreamError
from streams.frame import Frame
from streams.recording import Recording
from streams.sampler import Sampler
from streams.source import SourceOptions
from tests.streams.pictures import SIZE, many, number_of, numbered, record


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("clip") / "clip.mp4", 50)


def read(path: Path | str, options: SourceOptions | None = None) -> list[Frame]:
    options = options or SourceOptions()
    with ContainerSource(parse_address(str(path)), name="cam", options=options) as source:
        return list(source)


def test_every_picture_comes_once_in_order_with_its_time(clip: Path) -> None:
    """What was recorded is what is read, numbered and timed."""
    frames = read(clip)
    assert [number_of(frame.image) for frame in frames] == list(range(50))
    assert [frame.index for frame in frames] == list(range(50))
    assert [frame.pts_s for frame in frames] == pytest.approx([index / 25 for index in range(50)])
    assert {frame.stream for frame in frames} == {"cam"}
    assert frames[0].image.shape == (SIZE[1], SIZE[0], 3)


def test_only_kept_pictures_are_converted(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels are the dear part of decoding: those of pictures that nobody looks at are never touched."""
    conversions = 0

    class Counting:
        def __init__(self) -> None:
            self._real = VideoReformatter()

        def reformat(self, *args: object, **kwargs: object) -> object:
            nonlocal conversions
            conversions += 1
            return self._real.reformat(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("streams.container.VideoReformatter", Counting)
    frames = read(clip, SourceOptions(keep=Sampler(5).keep))
    assert [number_of(frame.image) for frame in frames] == list(range(0, 50, 5))
    assert [frame.index for frame in frames] == list(range(0, 50, 5))
    assert conversions == 10


def test_frames_are_scaled_to_the_size_asked_for(clip: Path) -> None:
    """Width first, as everywhere; whatever the picture's own shape."""
    frame = read(clip, SourceOptions(size=(60, 84)))[37]
    assert frame.image.shape == (84, 60, 3)
    assert number_of(frame.image) == 37
    assert frame.image.flags.c_contiguous


def test_colours_are_rgb(tmp_path: Path) -> None:
    """Red is red, not blue."""
    red = np.full((48, 64, 3), (200, 30, 60), np.uint8)
    with Recording(tmp_path / "red.mp4", (64, 48), 10) as recording:
        for _ in range(3):
            recording.write(red)
    assert read(tmp_path / "red.mp4")[1].image.mean((0, 1)) == pytest.approx((200, 30, 60), abs=6)


def test_captured_is_when_it_came(clip: Path) -> None:
    """Evidence in UTC is stamped by the clock given."""
    assert {frame.captured_utc for frame in read(clip, SourceOptions(clock=lambda: 1234.5))} == {
        1234.5
    }


def test_cancelling_ends_the_iteration_at_once(clip: Path) -> None:
    """Stopping does not wait for the end of the file."""
    seen: list[Frame] = []
    options = SourceOptions(cancelled=lambda: len(seen) >= 3)
    with ContainerSource(parse_address(str(clip)), name="cam", options=options) as source:
        for frame in source:
            seen.append(frame)
    assert len(seen) < 40


def test_a_damaged_stretch_is_counted_and_stepped_over(tmp_path: Path) -> None:
    """Hundreds of damaged packets do not end a file that still gives most of its pictures."""
    path = record(tmp_path / "clip.mp4", 200, keyframe_every=10)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") if data.index(b"moov") > start else len(data)
    middle, width = (start + end) // 2, (end - start) // 6
    data[middle : middle + width] = bytes([0xA5]) * width
    path.write_bytes(data)
    lost: Counter[str] = Counter()
    frames = read(path, SourceOptions(on_drop=lambda reason: lost.update([reason])))
    assert lost["corrupt"] > 0
    assert len(frames) > 120
    assert number_of(frames[-1].image) == 199
    times = [frame.pts_s for frame in frames]
    assert times == sorted(times)


def test_a_sideways_recording_is_turned_upright(tmp_path: Path) -> None:
    """Phones record sideways and say so in the file."""
    path = record(tmp_path / "clip.mp4", 12)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    turn = (0, 1 << 16, 0, (-1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30)  # a quarter, clockwise
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big") for value in turn)
    path.write_bytes(data)
    frame, small = read(path)[10], read(path, SourceOptions(size=(48, 64)))[10]
    assert frame.image.shape == (SIZE[0], SIZE[1], 3)
    assert number_of(np.rot90(frame.image)) == 10
    assert small.image.shape == (64, 48, 3)
    assert number_of(np.rot90(small.image)) == 10


def test_pictures_may_change_size_on_the_way(tmp_path: Path) -> None:
    """A camera that was set anew goes on; with a size asked for, frames keep it."""
    parts = []
    for size in ((128, 96), (64, 48)):
        path = tmp_path / f"{size[0]}.ts"
        transport_stream(path, size)
        parts.append(path.read_bytes())
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(parts))
    frames = read(joined)
    assert {frame.image.shape for frame in frames} == {(96, 128, 3), (48, 64, 3)}
    assert {frame.image.shape for frame in read(joined, SourceOptions(size=(40, 30)))} == {
        (30, 40, 3)
    }
    times = [frame.pts_s for frame in frames]
    assert times == sorted(times)


def test_a_recording_that_was_cut_off_ends_where_it_was_cut(tmp_path: Path) -> None:
    """A full disk or a crash of the recorder: what is there is read, and that is the end."""
    path = tmp_path / "clip.mkv"
    matroska(path, 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    numbers = [number_of(frame.image) for frame in read(path)]
    assert 10 < len(numbers) < 50
    assert numbers == list(range(len(numbers)))


def test_a_recording_without_a_keyframe_has_no_whole_picture(tmp_path: Path) -> None:
    """It must not look like a recording that was read well and showed nothing."""
    path = tmp_path / "clip.mkv"
    matroska(path, 40)
    data = bytearray(path.read_bytes())
    start = data.index(b"\x1f\x43\xb6\x75")
    data[start + 60 : start + 400] = bytes(340)
    path.write_bytes(data)
    with pytest.raises((SourceCorrupt, NoVideo)):
        read(path)


def matroska(path: Path, count: int) -> None:
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("mpeg4", 25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = 1000
        for image in many(count):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))


def transport_stream(path: Path, size: tuple[int, int]) -> None:
    """An MPEG-TS, which can be joined by appending."""
    with av.open(str(path), "w", format="mpegts") as out:
        stream = out.add_stream("libx264", 25, options={"tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in many(25):
            picture = av.VideoFrame.from_ndarray(image[: size[1], : size[0]].copy(), format="rgb24")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def audio(path: Path) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(16000))


def unknown_codec(path: Path) -> None:
    record(path, 10)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))


def truncated(path: Path) -> None:
    record(path, 50)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda path: None, SourceNotFound, "no such file; check the path"),
        (lambda path: path.mkdir(), SourceNotFound, "is a folder; give the path of a video file"),
        (lambda path: path.touch(), NoVideo, "is empty"),
        (lambda path: path.write_bytes(b"\x13\x37" * 5000), SourceCorrupt, "damaged or no video"),
        (lambda path: path.write_text("hello\n" * 100), SourceCorrupt, "damaged or no video"),
        (truncated, SourceCorrupt, "damaged or no video"),
        (audio, NoVideo, "holds no video, only audio"),
        (unknown_codec, CodecUnsupported, "no decoder"),
    ],
    ids=["missing", "folder", "empty", "garbage", "text", "truncated", "audio", "codec"],
)
def test_what_cannot_be_read_says_so(
    make: Callable[[Path], object], error: type[StreamError], says: str, tmp_path: Path
) -> None:
    """The error has a stable code, names the file and what to do."""
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(error, match=says) as caught:
        read(path)
    assert str(path) in caught.value.message


def test_a_file_without_one_whole_picture_is_damaged(tmp_path: Path) -> None:
    """An intact container around ruined pictures must not look like a video that just ended."""
    path = record(tmp_path / "clip.mp4", 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") if data.index(b"moov") > start else len(data)
    data[start:end] = bytes([0xA5]) * (end - start)
    path.write_bytes(data)
    with pytest.raises(SourceCorrupt, match="damaged"):
        read(path)


def test_a_source_can_be_opened_again_and_closes_what_it_opened(clip: Path) -> None:
    """The reader opens sources for as long as the daemon lives: nothing may stay behind."""
    source = ContainerSource(parse_address(str(clip)), name="cam", options=SourceOptions())
    for _ in range(3):
        with source:
            assert len(list(source)) == 50
    gc.collect()
    before = open_files()
    for _ in range(20):
        with source:
            next(iter(source))
        with pytest.raises(SourceNotFound):
            read("/nowhere.mp4")
    gc.collect()
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_making_a_source_opens_nothing() -> None:
    """A daemon with fifty cameras starts at once; opening happens where waiting does no harm."""
    source = ContainerSource(parse_address("/nowhere.mp4"), name="cam", options=SourceOptions())
    assert not source.live
    with pytest.raises(SourceNotFound), source:
        pass


def test_numbers_survive_the_codec() -> None:
    """The test's own pictures carry what they say."""
    assert [number_of(numbered(number)) for number in range(256)] == list(range(256))
