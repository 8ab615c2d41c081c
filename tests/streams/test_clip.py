"""Encoded pictures in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.clip import Clip, encode_clip, read_clip
from tests.streams.pictures import many, record


def test_keyframes_are_where_they_were_asked_for() -> None:
    """Who measures relies on there being no others; parameter sets stand before the first."""
    clip = encode_clip(many(25), 25, keyframe_every=10)
    assert len(clip.pictures) == 25
    assert clip.keyframes == (0, 10, 20)
    assert [nal[0] & 31 for nal in clip.parameter_sets] == [7, 8]
    assert clip.shown == tuple(range(25))


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    """Its pictures, B-frames too, its rate, and parameter sets in the stream; no more than asked for."""
    film = record(tmp_path / "film.mp4", 40, keyframe_every=20, fps=20)
    clip = read_clip(film)
    assert (len(clip.pictures), clip.fps) == (40, 20)
    assert clip.keyframes[0] == 0
    assert 2 <= len(clip.keyframes) < 10
    assert sorted(clip.shown) == list(range(40))
    assert list(clip.shown) != sorted(clip.shown)
    assert len(clip.parameter_sets) == 2
    assert len(read_clip(film, limit=10).pictures) == 10


def test_clips_one_behind_the_other() -> None:
    """The second one's pictures are shown behind all of the first one's."""
    one, other = encode_clip(many(3), 25), encode_clip(many(2), 50)
    both = one.then(other)
    assert (both.fps, len(both.pictures), both.shown) == (25, 5, (0, 1, 2, 3, 4))
    assert both.keyframes == (0, 3)


def test_what_is_no_clip(tmp_path: Path) -> None:
    """Told where it is made."""
    with pytest.raises(ValueError, match="needs a picture"):
        encode_clip([], 25)
    with pytest.raises(ValueError, match="place of its own"):
        Clip(25, ((b"\x65",), (b"\x41",)), (0, 0))
