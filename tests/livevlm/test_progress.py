"""How far a recording was watched: written down and read again, and when it counts."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from livevlm.progress import Progress, progress_in
from streams import Edition, Place

FILM = Edition("/films/a.mp4", "7 bytes of 1")
SEEN = Progress(FILM, Place(4.1, 9.3), stream_s=104.1)


def through_json(progress: Progress) -> object:
    """A note as it comes back from disk."""
    return json.loads(json.dumps(progress.note()))


@pytest.mark.parametrize("seen", [SEEN, replace(SEEN, ended=True, place=Place(4.1))])
def test_what_is_written_down_is_read_again(seen: Progress) -> None:
    """Number for number."""
    assert Progress.noted(through_json(seen)) == seen  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "note", [None, {}, {"edition": 3}, {**SEEN.note(), "place": {"page": 3}}, {"edition": {}}]
)
def test_a_note_of_another_kind_is_none(note: dict[str, object] | None) -> None:
    """A state directory of another version starts, and its recordings are watched from their start."""
    assert Progress.noted(note) is None


def test_the_same_recording_is_gone_on_with(caplog: pytest.LogCaptureFixture) -> None:
    """And the log says from where, or that nothing is left to see."""
    caplog.set_level(logging.INFO)
    assert progress_in("hall", FILM, SEEN.note(), 104.1) == SEEN
    assert progress_in("hall", FILM, replace(SEEN, ended=True).note(), 104.1) == replace(
        SEEN, ended=True
    )
    assert caplog.messages == [
        "stream hall: it goes on behind 4.1 s of it",
        "stream hall: it was watched to its end, and is not watched again",
    ]


@pytest.mark.parametrize(
    ("edition", "said"),
    [
        (Edition("/films/a.mp4", "8 bytes of 1"), "has changed since it was watched"),
        (Edition("/films/b.mp4", "7 bytes of 1"), "another recording than before"),
    ],
)
def test_another_recording_is_watched_from_its_start(
    edition: Edition, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that was written anew, or another one under the stream's name; the log says so."""
    caplog.set_level(logging.INFO)
    assert progress_in("hall", edition, SEEN.note(), 104.1) is None
    (message,) = caplog.messages
    assert said in message
    assert "watched from its start" in message


def test_where_nothing_is_remembered_nothing_was_watched() -> None:
    """All of it was forgotten; or it is no recording now."""
    assert progress_in("hall", FILM, SEEN.note(), None) is None
    assert progress_in("hall", None, SEEN.note(), 104.1) is None
    assert progress_in("hall", FILM, None, 104.1) is None


def test_one_that_was_only_begun_with_is_begun_again() -> None:
    """What is remembered is older than its first frame."""
    begun = Progress(FILM, Place(-1.0), stream_s=99.0)
    assert progress_in("hall", FILM, begun.note(), 99.7) is None
    further = progress_in("hall", FILM, begun.note(), 101.0)
    assert further is not None
    assert (further.place.pts_s, further.shift_s) == pytest.approx((1.0, 100.0))


def test_what_outlived_the_note_does_not_come_twice() -> None:
    """An archive may hold frames that the journal lost with the machine's power; it may also have been made to forget some."""
    further = progress_in("hall", FILM, SEEN.note(), 106.1)
    assert further is not None
    assert (further.place.pts_s, further.place.stamp_s) == pytest.approx((6.1, 11.3))
    assert further.shift_s == pytest.approx(SEEN.shift_s)
    assert progress_in("hall", FILM, SEEN.note(), 50.0) == SEEN
    unsought = replace(SEEN, place=Place(4.1)).reaching(106.1)
    assert unsought.place.stamp_s is None
