"""Thrift with real packets: a real server, libav's own demuxers and decoders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from livevlm.bench.rtsp import RtspServer
from streams.address import parse_address
from streams.clip import Clip, encode_clip
from streams.container import ContainerSource
from streams.frame import Frame
from streams.mailbox import Mailbox
from streams.nal import Kind, kind_of
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.sampler import Sampler
from streams.source import Decode, SourceOptions
from tests.streams.pictures import SIZE, many, number_of, numbered, record, until

PATIENT = SourceOptions(open_timeout_s=20, read_timeout_s=20)
FPS = 25


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stamp of a camera is missing: how long the next one took to come, on a busy machine, is not to matter."""
    monkeypatch.setattr("streams.container.time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return encode_clip(many(60), FPS, keyframe_every=20)


class Reading:
    """A stream's reader on a camera of its own, and what came of it."""

    def __init__(self, url: str, *, fps: float, decode: Decode) -> None:
        self.mailbox = Mailbox(1000)
        source = SourceOptions(open_timeout_s=20, read_timeout_s=20, decode=decode)
        options = ReaderOptions(fps=fps, source=source)
        self.reader = StreamReader(url, name="cam", mailbox=self.mailbox, options=options)

    def frames(self, count: int) -> list[Frame]:
        """So many frames, and then it is stopped."""
        self.reader.start()
        until(lambda: len(self.mailbox) >= count)
        assert self.reader.stop(20)
        return self.mailbox.take(count)


def numbers(clip: Clip, count: int, decode: Decode, fps: float = 2.5) -> tuple[list[int], int]:
    """What is on the first frames sampled from a camera, and how many of its pictures were skipped."""
    with RtspServer(clip) as server:
        reading = Reading(server.url, fps=fps, decode=decode)
        frames = reading.frames(count)
    status = reading.reader.status()
    assert sum(status.dropped.values()) == status.dropped["skipped"] <= status.received
    return [number_of(frame.image) for frame in frames], status.dropped["skipped"]


def test_a_camera_looks_the_same_for_less(clip: Clip) -> None:
    """Sampled each ten pictures with keyframes each twenty: nine of twenty are never decoded, and the frames are the same."""
    wanted = [number * 10 % 60 for number in range(8)]
    thrifty, skipped = numbers(clip, 8, "auto")
    assert thrifty == wanted
    assert skipped >= 3 * 9
    assert numbers(clip, 8, "all") == (wanted, 0)


def test_pictures_in_another_order_than_they_are_sent_in() -> None:
    """With B-frames a picture comes out of the decoder late: it is fetched out, not left for the next one to push."""
    clip = encode_clip(many(60), FPS, keyframe_every=20, b_frames=2)
    wanted, _none = numbers(clip, 8, "all")
    thrifty, skipped = numbers(clip, 8, "auto")
    assert thrifty == wanted
    assert skipped > 10


def test_keyframes_alone(clip: Clip) -> None:
    """Of twenty pictures one is decoded, also where the decoder would rather wait for those behind it."""
    assert numbers(clip, 4, "keyframes", fps=25)[0] == [0, 20, 40, 0]
    late = encode_clip(many(60), FPS, keyframe_every=20, b_frames=2)
    assert numbers(late, 4, "keyframes", fps=25)[0] == [0, 20, 40, 0]


def test_a_damaged_keyframe_is_noticed(clip: Clip) -> None:
    """Where only keyframes are decoded a broken one is counted, and the next one is taken."""
    lost: Counter[str] = Counter()
    options = SourceOptions(decode="keyframes", on_drop=lambda reason: lost.update([reason]))
    with (
        RtspServer(clip, damage=frozenset({20})) as server,
        ContainerSource(parse_address(server.url), name="cam", options=options) as source,
    ):
        shown = [number_of(frame.image) for frame, _ in zip(source, range(4), strict=False)]
    assert shown == [0, 40, 0, 40]
    assert lost["corrupt"] >= 1


def test_what_is_damaged_and_never_needed_does_no_harm(clip: Clip) -> None:
    """Behind the last picture that is due of a GOP nothing is decoded, whatever it is."""
    with RtspServer(clip, damage=frozenset(range(51, 60))) as server:
        reading = Reading(server.url, fps=2.5, decode="auto")
        frames = reading.frames(8)
    assert [number_of(frame.image) for frame in frames] == [n * 10 % 60 for n in range(8)]
    assert reading.reader.status().dropped["corrupt"] == 0


def test_packets_that_wait_are_a_sign_of_life() -> None:
    """A camera that is looked at every ten seconds has not stalled after two."""
    now_s = iter(range(0, 10**6))
    clip = encode_clip(many(10), FPS, keyframe_every=5)
    source = SourceOptions(open_timeout_s=20, read_timeout_s=20)
    options = ReaderOptions(
        fps=0.1, source=source, stall_timeout_s=30, monotonic=lambda: next(now_s)
    )
    mailbox = Mailbox(10)
    with RtspServer(clip) as server:
        reader = StreamReader(server.url, name="cam", mailbox=mailbox, options=options)
        reader.start()
        until(lambda: reader.status().dropped["skipped"] > 60)
        assert reader.status().error is None
        assert reader.stop(20)
    assert server.plays == 1


@pytest.mark.parametrize("decode", ["auto", "all"])
def test_recordings_are_exact(tmp_path: Path, decode: Decode) -> None:
    """A replay shows the same frames each time: nothing of a file is left out unless that is asked for."""
    lost: Counter[str] = Counter()
    sampler = Sampler(5)
    options = SourceOptions(
        decode=decode,
        keep=sampler.keep,
        due=lambda pts_s, keyframe: sampler.due(pts_s),
        on_drop=lambda reason: lost.update([reason]),
    )
    path = record(tmp_path / "clip.mp4", 50, keyframe_every=20)
    with ContainerSource(parse_address(str(path)), name="cam", options=options) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(0, 50, 5))
    assert not lost


def test_keyframes_of_a_recording(tmp_path: Path) -> None:
    """Asked for, they are taken from a file too, with their times."""
    options = SourceOptions(decode="keyframes")
    path = record(tmp_path / "clip.mp4", 50, keyframe_every=20)
    with ContainerSource(parse_address(str(path)), name="cam", options=options) as source:
        frames = list(source)
    shown = [number_of(frame.image) for frame in frames]
    assert 3 <= len(shown) <= 6  # The encoder makes some of its own accord.
    assert {0, 36} <= set(shown)
    assert [frame.pts_s for frame in frames] == pytest.approx([number / 25 for number in shown])


def kinds(path: Path, codec: str, **options: str) -> Iterator[tuple[Kind, bool]]:
    """What each packet of a small video is taken for, and whether the container calls it a keyframe."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number))))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        name = container.streams.video[0].codec_context.codec.canonical_name
        for packet in container.demux(video=0):
            if packet.size:
                key = packet.is_keyframe
                yield kind_of(name, memoryview(packet), marked_key=key), key


@pytest.mark.parametrize("wrapped", ["mp4", "ts", "flv"])
def test_the_first_slice_says_what_a_packet_is(tmp_path: Path, wrapped: str) -> None:
    """Behind start codes as behind lengths: keyframes, pictures that others refer to, and those that none does."""
    found = list(kinds(tmp_path / f"clip.{wrapped}", "libx264", bf="2", b_pyramid="none"))
    assert [kind == "key" for kind, _key in found] == [key for _kind, key in found]
    count = Counter(kind for kind, _key in found)
    assert count["key"] >= 3
    assert count["spare"] >= 6
    assert count["plain"] >= 6


def test_a_keyframe_that_later_ones_look_back_over_is_no_clean_start(tmp_path: Path) -> None:
    """Open GOPs: what was before such a keyframe is still needed behind it."""
    options = {"bf": "2", "x264-params": "open-gop=1:scenecut=0"}
    found = list(kinds(tmp_path / "open.ts", "libx264", **options))
    assert found[0] == ("key", True)
    assert ("plain", True) in found


def test_what_is_not_understood_is_plain() -> None:
    """Lengths of another size, garbage, an unknown codec: nothing is let go because of them."""
    for data in (b"", b"\0\3\x65\1\2", b"\xff" * 20, b"\0\0\0\x09\x65"):
        assert kind_of("h264", data, marked_key=True) == "plain"
    assert kind_of("theora", b"\0\0\0\1\x65", marked_key=True) == "plain"
    assert kind_of("hevc", bytes([0, 0, 1, 19 << 1, 1]), marked_key=True) == "key"
    assert kind_of("hevc", bytes([0, 0, 1, 21 << 1, 1]), marked_key=True) == "plain"
    assert kind_of("mjpeg", b"", marked_key=True) == "key"
