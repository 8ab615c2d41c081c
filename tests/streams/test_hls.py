"""HTTP Live Streaming: a broadcast whose playlist rolls on, and recordings whose playlist has an end."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest

from streams.errors import NoVideo, SourceCorrupt, SourceNotFound, SourceTimedOut
from streams.open import open_source
from streams.probe import probe
from streams.source import SourceOptions
from tests.streams.hls import FPS, SEGMENT_S, Playlist, broadcast, serve
from tests.streams.pictures import number_of

PATIENT = SourceOptions(open_timeout_s=30, read_timeout_s=30)
IMPATIENT = SourceOptions(open_timeout_s=30, read_timeout_s=0.5)


def test_a_broadcast_is_joined_at_its_newest_segment_and_followed(tmp_path: Path) -> None:
    """What was broadcast before is not now; every picture comes once, in order, over the end of segments."""
    count = round(2.5 * FPS * SEGMENT_S)
    with broadcast(tmp_path) as playlist, serve(tmp_path) as address:
        oldest = playlist.written
        with open_source(f"{address}/cam.m3u8", name="cam", options=PATIENT) as source:
            assert source.live
            frames = [frame for frame, _ in zip(source, range(count), strict=False)]
    numbers = [number_of(frame.image) for frame in frames]
    assert len(numbers) == count
    assert numbers == [(numbers[0] + place) % 256 for place in range(count)]
    assert numbers[0] >= oldest - 2 * round(FPS * SEGMENT_S)
    steps = [late.pts_s - early.pts_s for early, late in pairwise(frames)]
    assert steps == pytest.approx([1 / FPS] * (count - 1), abs=0.01)


def test_a_playlist_with_an_end_is_a_recording(tmp_path: Path) -> None:
    """From its first picture to its last; its end is no loss."""
    playlist = Playlist(tmp_path, rolling=False)
    playlist.write(55)
    playlist.end()
    with serve(tmp_path) as address:
        with open_source(f"{address}/cam.m3u8", name="cam", options=PATIENT) as source:
            assert not source.live
            assert [number_of(frame.image) for frame in source] == list(range(55))
        report = probe(f"{address}/cam.m3u8", options=PATIENT)
    assert (report.live, report.pictures, report.stamps.healthy) == (False, 55, True)
    with open_source(str(playlist.path), name="cam") as source:
        assert len(list(source)) == 55


def test_a_broadcast_that_stops_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A playlist that nobody writes any more is read again and again, but not for ever."""
    monkeypatch.setattr("streams.patience.HLS_PATIENCE_S", 1.0)
    playlist = Playlist(tmp_path, rolling=True)
    playlist.write(50)
    quick = SourceOptions(open_timeout_s=30, read_timeout_s=1)
    with (
        serve(tmp_path) as address,
        open_source(f"{address}/cam.m3u8", name="cam", options=quick) as source,
        pytest.raises(SourceTimedOut, match="read_timeout_s"),
    ):
        assert len(list(source)) < 50
    playlist.end()


def test_a_slow_segment_is_waited_for(tmp_path: Path) -> None:
    """Segments last up to 10 s, and in between nothing comes: that is no silence yet, whatever other cameras are given."""
    playlist = Playlist(tmp_path, rolling=True)
    playlist.write(50)
    with (
        serve(tmp_path) as address,
        open_source(f"{address}/cam.m3u8", name="cam", options=IMPATIENT) as source,
    ):
        frames = iter(source)
        seen = [number_of(next(frames).image)]
        late = threading.Timer(2.5, playlist.write, [30])  # Five times the read timeout.
        late.start()
        seen += [number_of(next(frames).image) for _ in range(25)]
        late.join()
    assert seen == list(range(seen[0], seen[0] + 26))
    playlist.end()


def test_what_is_no_playlist(tmp_path: Path) -> None:
    """Each in its own words."""
    (tmp_path / "empty.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n")
    (tmp_path / "text.m3u8").write_text("hello\n" * 20)
    with serve(tmp_path) as address:
        for name, error in (
            ("nothing.m3u8", SourceNotFound),
            ("empty.m3u8", (SourceCorrupt, NoVideo)),
            ("text.m3u8", SourceCorrupt),
        ):
            with pytest.raises(error), open_source(f"{address}/{name}", name="c", options=PATIENT):
                pass


def test_a_playlist_from_the_network_leads_to_no_file_of_this_machine(tmp_path: Path) -> None:
    """Whoever runs a web server must not be able to show the daemon a video that lies on the daemon's own disk."""
    playlist = Playlist(tmp_path, rolling=False)
    playlist.write(20)
    playlist.end()
    part = tmp_path / "part000.ts"
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n"
    (tmp_path / "own.m3u8").write_text(f"{head}{part.name}\n#EXT-X-ENDLIST\n")
    (tmp_path / "local.m3u8").write_text(f"{head}file://{part}\n#EXT-X-ENDLIST\n")
    with serve(tmp_path) as address:
        with open_source(f"{address}/own.m3u8", name="cam", options=PATIENT) as source:
            assert len(list(source)) >= 10
        with (
            pytest.raises((SourceCorrupt, NoVideo)),
            open_source(f"{address}/local.m3u8", name="cam", options=PATIENT) as source,
        ):
            list(source)
