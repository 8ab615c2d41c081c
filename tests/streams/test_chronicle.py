"""What of a stream's life is worth a line in the log."""

from __future__ import annotations

import logging

import pytest

from streams.chronicle import Change, Chronicle, Line
from streams.errors import ConnectionFailed, SourceEnded, SourceTimedOut, StreamError
from streams.life import Event, State, after

DAY_S = 86_400
LOST = ConnectionFailed("cam: off")


class Life:
    """A stream whose changes are told to a chronicle."""

    def __init__(self) -> None:
        self.chronicle = Chronicle("front", "rtsp://cam/s")
        self.state: State = "connecting"
        self.lines: list[Line] = []

    def tell(self, event: Event, now_s: float, error: StreamError | None = None) -> str | None:
        before, self.state = self.state, after(self.state, event)
        change = Change(before=before, after=self.state, error=error, next_try_s=error and 30.0)
        line = self.chronicle.tell(change, now_s)
        self.lines += [line] if line else []
        return line.text if line else None


def test_one_line_a_change() -> None:
    """Each says which stream, and what happened to it."""
    life = Life()
    life.tell("picture", 0)
    life.tell("silence", 10)
    life.tell("picture", 20)
    life.tell("loss", 30, SourceEnded("cam stopped sending"))
    life.tell("picture", 95)
    life.tell("pause", 100)
    life.tell("resume", 110)
    life.tell("picture", 111)
    life.tell("end", 120)
    assert [line.text for line in life.lines] == [
        "stream front: live from rtsp://cam/s",
        "stream front: no picture comes from rtsp://cam/s",
        "stream front: pictures come again",
        "stream front: cam stopped sending; opened again in 30.0 s",
        "stream front: live after 65 s from rtsp://cam/s",
        "stream front: paused",
        "stream front: resumed, opening rtsp://cam/s",
        "stream front: live from rtsp://cam/s",
        "stream front: ended",
    ]
    levels = [line.level for line in life.lines]
    assert [place for place, level in enumerate(levels) if level == logging.WARNING] == [1, 3]


def test_pictures_write_nothing() -> None:
    """Twenty-five a second must not."""
    life = Life()
    life.tell("picture", 0)
    assert [life.tell("picture", second / 25) for second in range(100)] == [None] * 100


def test_a_camera_that_is_away_for_a_day() -> None:
    """Some three thousand tries are a dozen lines, further and further apart."""
    life = Life()
    life.tell("picture", 0)
    told = [second for second in range(0, DAY_S, 30) if life.tell("loss", second, LOST)]
    assert told == [0, *[60 * 2**power for power in range(11)]]
    assert life.lines[-1].text.startswith("stream front: away for 17 h, 2049 tries: cam: off")


def test_a_camera_that_never_comes() -> None:
    """The same for one that was not there from the beginning."""
    life = Life()
    lines = [life.tell("loss", second, LOST) for second in range(0, DAY_S, 30)]
    assert 10 <= sum(line is not None for line in lines) <= 15
    assert life.tell("picture", DAY_S) == "stream front: live after 24 h from rtsp://cam/s"


def test_another_reason_is_told_at_once_and_once() -> None:
    """Whoever looks for the cause needs it; two reasons that take turns need no line each time."""
    life = Life()
    life.tell("picture", 0)
    late = SourceTimedOut("cam: silent")
    texts = [life.tell("loss", second, (LOST, late)[second % 2]) for second in range(50)]
    assert [text is not None for text in texts] == [True, True, *[False] * 48]


def test_a_camera_that_comes_and_goes() -> None:
    """Every few seconds for a day: the log says so, and stays readable."""
    life = Life()
    for second in range(0, DAY_S, 4):
        life.tell("picture", second)
        life.tell("loss", second + 2, LOST)
    assert 200 < len(life.lines) < 300
    texts = [line.text for line in life.lines]
    assert "it changes so often that not every change is logged" in texts[19]
    assert "changes before this one were not logged" in texts[25]


def test_what_was_asked_for_is_always_told() -> None:
    """However many lines there were before."""
    life = Life()
    for second in range(100):
        life.tell("picture", second)
        life.tell("loss", second, LOST)
    assert life.tell("pause", 101) is not None
    assert life.tell("resume", 101) is not None
    assert life.tell("end", 101) is not None


def test_a_stream_that_failed_says_why() -> None:
    """As an error, once."""
    life = Life()
    life.tell("failure", 0, StreamError("clip.mp4: not a video"))
    assert life.lines == [Line(logging.ERROR, "stream front: clip.mp4: not a video")]


@pytest.mark.parametrize(
    ("away_s", "words"), [(5, "5 s"), (150, "2 min"), (7200, "2 h"), (3 * DAY_S, "3 d")]
)
def test_lengths(away_s: float, words: str) -> None:
    """In the unit that one would say."""
    life = Life()
    life.tell("picture", 0)
    life.tell("loss", 0, LOST)
    assert life.tell("picture", away_s) == f"stream front: live after {words} from rtsp://cam/s"
