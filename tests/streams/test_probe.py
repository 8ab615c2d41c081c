"""Looking at a source for a few seconds."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from livevlm.bench.rtsp import RtspServer
from streams.clip import Clip, encode_clip
from streams.errors import SourceNotFound, SourceStalled
from streams.probe import probe
from streams.source import SourceOptions
from tests.streams.pictures import many, numbered, record
from tests.streams.rtmp_server import KEY, rtmp_server


def test_a_recording(tmp_path: Path) -> None:
    """All that is to be known of a file."""
    path = record(tmp_path / "clip.mp4", 50, keyframe_every=10)
    report = probe(str(path))
    assert (report.source, report.live, report.codec) == (str(path), False, "h264")
    assert (report.width, report.height, report.pixel_format) == (128, 96, "yuv420p")
    assert (report.pictures, report.corrupt, report.keyframe_every) == (50, 0, 10)
    assert report.fps_claimed == pytest.approx(25)
    assert report.fps_measured == pytest.approx(25)
    assert report.duration_s == pytest.approx(2.0, abs=0.05)
    assert report.stamps.healthy
    assert report.stamps.longest_gap_s == pytest.approx(0.04)
    assert report.open_s is not None
    assert 0 < report.open_s <= report.first_picture_s
    assert (report.profile, report.level) == ("High", "1.0")
    assert (report.arrival, report.broke) == (None, None)


def test_a_camera() -> None:
    """It is watched for the time given, and shown without its password."""
    with RtspServer(
        encode_clip(many(60), 50, keyframe_every=10), credentials=("u", "hunter2")
    ) as server:
        report = probe(server.url, seconds=0.6, options=SourceOptions(open_timeout_s=20))
    assert (report.live, report.codec, report.keyframe_every) == (True, "h264", 10)
    assert report.fps_measured == pytest.approx(50, rel=0.05)
    assert report.pictures >= 20
    assert "hunter2" not in repr(report)
    assert report.arrival is not None
    assert report.arrival.spread_s >= report.arrival.jitter_s > 0
    # This server sends no reports of its clock, and too little was seen to tell a drift.
    assert (report.arrival.age_s, report.arrival.drift_s_per_min) == (None, None)


def test_a_damaged_recording_is_counted(tmp_path: Path) -> None:
    """Ill health shows in numbers."""
    path = record(tmp_path / "clip.mp4", 200)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 2000
    data[start : start + 800] = bytes([0xA5]) * 800
    path.write_bytes(data)
    assert probe(str(path)).corrupt > 0


def test_the_test_pattern() -> None:
    """It is drawn, not decoded, but can be looked at all the same."""
    report = probe("test:?fps=20&duration_s=1", options=SourceOptions(size=(64, 48)))
    assert (report.format, report.width, report.height, report.pictures) == ("test", 64, 48, 20)
    assert report.fps_measured == pytest.approx(20)


def test_a_camera_that_sends_no_picture() -> None:
    """One without keyframes: data comes, and nothing can be seen."""
    whole = encode_clip(many(60), 50, keyframe_every=60)
    first, *others = whole.pictures[30:]
    headed = (b"\x67\x42", b"\x68\xce", *first)
    clip = Clip(whole.fps, (headed, *others), tuple(range(30)))
    with RtspServer(clip) as server, pytest.raises(SourceStalled, match="keyframes"):
        probe(server.url, seconds=0.1, options=SourceOptions(open_timeout_s=1))


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    """It has no codec, but a rate and a size."""
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(
            cv2.imencode(".png", numbered(number))[1].tobytes()
        )
    report = probe(f"dir:{tmp_path}?fps=2")
    assert (report.format, report.live, report.pictures) == ("folder", False, 4)
    assert (report.width, report.height, report.fps_measured) == (128, 96, 2.0)


def test_a_folder_into_which_nothing_comes(tmp_path: Path) -> None:
    """A probe of a live folder must end, too."""
    with pytest.raises(SourceStalled, match="no picture came"):
        probe(f"dir:{tmp_path}?live=1", seconds=0.1, options=SourceOptions(open_timeout_s=0.1))


def test_a_camera_that_breaks_off_is_reported_all_the_same() -> None:
    """What was seen until then is told, and why there is no more."""
    with rtmp_server(20, polite=False) as address:
        report = probe(f"{address}/{KEY}", seconds=60, options=SourceOptions(open_timeout_s=30))
    assert report.pictures >= 19
    assert report.broke is not None
    assert "check that it is on" in report.broke


def test_what_is_not_there() -> None:
    """The same errors as everywhere."""
    with pytest.raises(SourceNotFound):
        probe("/nowhere.mp4")


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_time_that_is_none(seconds: float) -> None:
    """A probe of a camera must end."""
    with pytest.raises(ValueError, match="seconds"):
        probe("test:", seconds=seconds)
