"""What a stream's thread writes down about itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from streams.chronicle import Chronicle
from streams.drift import DriftReading
from streams.errors import SourceEnded
from streams.journal import Journal, ReaderStatus
from streams.mailbox import Mailbox


@dataclass
class Book:
    """A journal with a clock that is told to move, and the mailbox beside it."""

    now_s: float = 1000.0
    mailbox: Mailbox = field(default_factory=lambda: Mailbox(2))

    def __post_init__(self) -> None:
        self.journal = Journal(
            Chronicle("cam", "rtsp://cam/s"),
            utc=lambda: self.now_s + 5_000_000,
            monotonic=lambda: self.now_s,
        )

    def look(self) -> ReaderStatus:
        return self.journal.status(self.mailbox, live=True, drift=DriftReading(ahead_s=0.5))


def test_a_state_has_a_beginning_and_a_reason() -> None:
    """An error stays until the stream is live again; trying once more is no new state."""
    book = Book()
    assert (book.look().state, book.look().since_utc) == ("connecting", 5_001_000)
    book.now_s += 3
    assert book.journal.tell("picture")
    assert (book.look().state, book.look().since_utc) == ("live", 5_001_003)
    book.now_s += 4
    assert book.journal.tell("loss", SourceEnded("cam stopped"), 30.0)
    book.now_s += 10
    assert book.journal.tell("loss", SourceEnded("cam stopped again"), 30.0)
    status = book.look()
    assert (status.state, status.since_utc) == ("reconnecting", 5_001_007)
    assert (status.error_code, status.error) == ("STREAM_ENDED", "cam stopped again")
    assert book.journal.tell("picture")
    assert (book.look().error_code, book.look().reconnects) == (None, 1)


def test_the_next_try_is_told_while_it_is_waited_for() -> None:
    """It comes nearer, never passes, and is none while the source is being opened."""
    book = Book()
    assert book.look().next_try_s is None
    book.journal.tell("loss", SourceEnded("cam stopped"), 30.0)
    book.now_s += 10
    assert book.look().next_try_s == 20
    book.now_s += 100
    assert book.look().next_try_s == 0
    book.journal.trying()
    assert book.look().next_try_s is None
    assert book.look().error_code == "STREAM_ENDED"


def test_what_comes_too_late_changes_nothing() -> None:
    """The last picture, or the last error, of a stream that was paused or stopped meanwhile."""
    book = Book()
    book.journal.tell("pause")
    assert not book.journal.tell("picture")
    assert not book.journal.tell("loss", SourceEnded("cam stopped"), 30.0)
    assert (book.look().state, book.look().error) == ("paused", None)
    book.journal.tell("end")
    assert not book.journal.tell("failure", SourceEnded("cam stopped"))
    assert book.look().state == "ended"


def test_going_on_after_a_pause_is_no_reconnect() -> None:
    """Nothing was lost."""
    book = Book()
    for event in ("picture", "pause", "resume", "picture"):
        assert book.journal.tell(event)  # type: ignore[arg-type]
    assert book.look().reconnects == 0


def test_a_change_is_logged_where_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    """One line, at the level that the chronicle says."""
    book = Book()
    with caplog.at_level(logging.INFO):
        for event in ("picture", "picture", "silence"):
            book.journal.tell(event)  # type: ignore[arg-type]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_pictures_and_when_the_last_one_came() -> None:
    """One that is not decoded came, too."""
    book = Book()
    assert not book.journal.seen
    assert book.look().last_frame_utc is None
    book.journal.come(kept=False)
    assert book.look().last_frame_utc == 5_001_000
    book.now_s += 1
    book.journal.hear()
    book.journal.lose("skipped")
    status = book.look()
    assert (status.received, status.unsampled, status.last_frame_utc) == (2, 1, 5_001_001)
    assert (status.dropped["skipped"], status.drift.ahead_s) == (1, 0.5)
    assert book.journal.seen
