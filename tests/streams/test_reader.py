"""The thread that keeps a stream coming."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livevlm.bench.rtsp import RtspServer
from streams.backoff import Backoff
from streams.clip import encode_clip
from streams.errors import (
    AddressUnsupported,
    AuthenticationFailed,
    ConnectionFailed,
    NoVideo,
)
from streams.ledger import REASONS
from streams.mailbox import Mailbox
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.source import SourceOptions
from tests.streams.pictures import many, number_of, record, until
from tests.streams.scripted import CAMERA, Clock, Make, Scripted, state


def test_a_recording_is_read_to_its_end_without_loss(run: Make, tmp_path: Path) -> None:
    """Every sampled frame arrives, in order, and then the stream has ended."""
    reader, mailbox = run(str(record(tmp_path / "clip.mp4", 50)), "block", fps=5)
    until(state(reader, "ended"))
    frames = mailbox.take(100)
    assert [number_of(frame.image) for frame in frames] == list(range(0, 50, 5))
    status = reader.status()
    assert (status.received, status.sampled, status.reconnects, status.live) == (50, 10, 0, False)
    assert status.dropped == dict.fromkeys(REASONS, 0)
    assert (status.unsampled, status.waiting, status.taken) == (40, 0, 10)
    assert (status.error, status.error_code) == (None, None)


def test_a_recording_waits_for_a_slow_taker(run: Make, tmp_path: Path) -> None:
    """With `block` nothing is lost, however small the mailbox."""
    mailbox = Mailbox(2, "block")
    options = ReaderOptions(fps=1000)
    reader = StreamReader(
        str(record(tmp_path / "c.mp4", 40)), name="cam", mailbox=mailbox, options=options
    )
    reader.start()
    seen: list[int] = []
    until(
        lambda: (
            seen.__iadd__(number_of(frame.image) for frame in mailbox.take(1)) and len(seen) == 40
        )
    )
    assert seen == list(range(40))
    assert reader.stop(10)


def test_a_looped_recording_goes_on_in_time_and_number(run: Make, tmp_path: Path) -> None:
    """It plays like a camera: no end, no step back."""
    reader, mailbox = run(str(record(tmp_path / "clip.mp4", 10)), loop=True)
    until(lambda: reader.status().sampled >= 35)
    frames = mailbox.take(30)
    assert [number_of(frame.image) for frame in frames] == list(range(10)) * 3
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.pts_s for frame in frames] == pytest.approx(
        [index / 25 for index in range(30)], abs=0.002
    )
    assert (reader.status().state, reader.status().reconnects) == ("live", 0)


def test_a_paced_recording_gives_frames_when_they_are_due(run: Make, tmp_path: Path) -> None:
    """At a speed of 20 two seconds of film take a tenth of one, and frames are stamped as they come out."""
    began = time.time()
    reader, mailbox = run(str(record(tmp_path / "clip.mp4", 50)), speed=20.0)
    until(state(reader, "ended"))
    frames = mailbox.take(100)
    shown = [frame.captured_utc - began for frame in frames]
    assert all(late >= frame.pts_s / 20 - 0.01 for late, frame in zip(shown, frames, strict=True))
    assert shown == sorted(shown)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "STREAM_NOT_FOUND"),
        (lambda path: path.touch(), "STREAM_NO_VIDEO"),
        (lambda path: path.write_bytes(b"\x13\x37" * 5000), "STREAM_CORRUPT"),
    ],
)
def test_a_file_that_cannot_be_read_fails_once(
    run: Make, tmp_path: Path, make: Callable[[Path], object], code: str
) -> None:
    """Trying again would change nothing, so the stream says what is wrong and stays failed."""
    path = tmp_path / "clip.mp4"
    make(path)
    reader, _mailbox = run(str(path))
    until(state(reader, "failed"))
    status = reader.status()
    assert status.error_code == code
    assert str(path) in (status.error or "")
    assert reader.stop(10)
    assert reader.status().state == "failed"


def test_an_address_that_is_none_is_an_error_at_once() -> None:
    """A misspelt configuration is told where it is made, not in a thread's log."""
    with pytest.raises(AddressUnsupported, match="rtsp"):
        StreamReader("rtps://cam/s", name="cam", mailbox=Mailbox(1))


def test_a_camera_that_dies_and_returns(run: Make) -> None:
    """Killed and started again on the same port: frames flow, time rises, numbers go on, the loss is counted."""
    with RtspServer(encode_clip(many(60), 50)) as server:
        reader, mailbox = run(server.url, knock_s=0.05)
        until(lambda: reader.status().sampled >= 10)
        server.stop()
        until(state(reader, "reconnecting"))
        assert reader.status().error_code in ("STREAM_ENDED", "STREAM_CONNECTION_FAILED")
        before = mailbox.take(1000)
        server.start()
        until(lambda: reader.status().sampled >= before[-1].index + 10)
        after = mailbox.take(1000)
        status = reader.status()
        assert reader.stop(10)
    assert (status.state, status.reconnects, status.error_code) == ("live", 1, None)
    indices = [frame.index for frame in (*before, *after)]
    times = [frame.pts_s for frame in (*before, *after)]
    assert indices == list(range(len(indices)))
    assert times == sorted(times)
    gap_s = after[0].captured_utc - before[-1].captured_utc
    assert after[0].pts_s - before[-1].pts_s == pytest.approx(gap_s, abs=0.2)


def test_a_camera_that_freezes_is_opened_again(run: Make) -> None:
    """A connection that stays but says nothing is given up when the read timeout is over."""
    with RtspServer(encode_clip(many(60), 50)) as server:
        reader, _mailbox = run(server.url, source=SourceOptions(open_timeout_s=1, read_timeout_s=1))
        until(lambda: reader.status().sampled >= 5)
        server.frozen.set()
        until(state(reader, "reconnecting"))
        assert reader.status().error_code == "STREAM_TIMEOUT"
        server.frozen.clear()
        until(lambda: reader.status().reconnects == 1)
        assert server.plays == 2
        assert reader.stop(10)


def test_time_goes_on_by_the_gap_that_passed(run: Make) -> None:
    """A minute without a camera is a minute in the stream's time."""
    clock = Clock()
    source = Scripted(
        [[0.0, clock.pass_by(1), 1.0, clock.pass_by(60)], [0.0, clock.pass_by(1), 1.0]]
    )
    reader, mailbox = run(source, monotonic=clock, backoff=Backoff(first_s=1e-9, longest_s=1e-9))
    until(lambda: reader.status().sampled == 4)
    frames = mailbox.take(10)
    assert [frame.pts_s for frame in frames] == [0.0, 1.0, 61.0, 62.0]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]


def test_a_live_source_is_opened_again_whatever_it_died_of(run: Make) -> None:
    """For ever: also after errors that end a recording, and after one that nobody thought of."""
    source = Scripted(
        [
            [NoVideo("cam: none")],
            [0.0],
            [0.0, ZeroDivisionError("a bug")],
            [ConnectionFailed("cam: off")],
            [0.0],
        ]
    )
    reader, _mailbox = run(source)
    until(lambda: source.opened == 6)
    status = reader.status()
    assert (status.received, status.reconnects) == (3, 2)
    assert status.state == "reconnecting"


def test_an_unexpected_error_is_logged_with_its_traceback(
    run: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The border where a stream ends hides nothing."""
    source = Scripted([[0.0, ZeroDivisionError("a bug")]], live=False)
    with caplog.at_level(logging.ERROR):
        reader, _mailbox = run(source)
        until(state(reader, "failed"))
    assert "ZeroDivisionError: a bug" in caplog.text
    assert reader.status().error_code == "STREAM_FAILED"


def test_no_password_reaches_log_or_status(run: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Neither where the camera refuses, nor in what the reader says of itself."""
    with (
        RtspServer(encode_clip(many(2), 50), credentials=("u", "right")) as server,
        caplog.at_level(logging.DEBUG),
    ):
        reader, _mailbox = run(server.url_of(user="u:hunter2"))
        until(lambda: reader.status().error_code == "STREAM_AUTH")
        assert reader.stop(10)
    assert "hunter2" not in caplog.text + repr(reader.status()) + reader.source
    assert "password was refused" in caplog.text


def test_a_refused_password_is_not_tried_again_and_again(
    run: Make, readers: list[StreamReader]
) -> None:
    """Cameras lock accounts: the longest delay comes first."""
    source = Scripted([[AuthenticationFailed("cam: no")]] * 5)
    reader, _mailbox = run(source, backoff=Backoff(first_s=0.001, longest_s=3600))
    until(lambda: reader.status().error_code == "STREAM_AUTH")
    assert reader.stop(10)
    assert source.opened == 1


def test_a_stream_without_pictures_is_stalled_and_opened_again(run: Make) -> None:
    """Data without pictures, as from an encoder that hangs: seen, told, and ended when its time is up."""
    clock, seen = Clock(), []
    look: Callable[[], object] = lambda: seen.append(reader.status().state)  # noqa: E731
    started = threading.Event()
    source = Scripted(
        [[started.wait, 0.0, look, clock.pass_by(9), look, clock.pass_by(7), look, 1.0], [0.0]]
    )
    reader, mailbox = run(
        source, monotonic=clock, stall_timeout_s=15, backoff=Backoff(first_s=1e-9, longest_s=1e-9)
    )
    started.set()
    until(lambda: reader.status().received == 2)
    assert seen == ["live", "stalled"]
    assert [frame.pts_s for frame in mailbox.take(9)] == [0.0, 16.0]
    assert reader.status().reconnects == 1


def test_a_stall_is_noted_also_while_nobody_asks(
    run: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Between packets that give no picture the thread notes it itself, and says so in the log."""
    clock = Clock()
    source = Scripted([[0.0, clock.pass_by(9)]], stays=True)
    with caplog.at_level(logging.INFO):
        run(source, monotonic=clock, stall_timeout_s=15)
        until(lambda: "no picture comes" in caplog.text)


def test_a_lost_source_is_looked_for_while_the_delay_lasts(run: Make) -> None:
    """A camera that returns is back at once, though the next try was half a minute away."""
    there = threading.Event()
    source = Scripted([[ConnectionFailed("cam: off")], [0.0]])
    hour = Backoff(first_s=3600, longest_s=3600)
    knocks: list[bool] = []

    def knock(address: object) -> bool:
        knocks.append(there.is_set())
        return there.is_set()

    reader, _mailbox = run(source, backoff=hour, knock_s=0.001, reachable=knock)
    until(lambda: len(knocks) > 3)
    assert reader.status().state == "connecting"
    assert source.opened == 1
    there.set()
    until(lambda: reader.status().received == 1)


def test_a_source_that_is_there_but_fails_is_left_its_delay(run: Make) -> None:
    """An open port alone is no reason to try at once: it was open before."""
    source = Scripted([[ConnectionFailed("cam: reset")]] * 9)
    knocks: list[object] = []
    hour = Backoff(first_s=3600, longest_s=3600)

    def knock(address: object) -> bool:
        knocks.append(address)
        return True

    run(source, backoff=hour, knock_s=0.001, reachable=knock)
    until(lambda: len(knocks) > 20)
    assert source.opened == 1


def test_a_source_that_returns_while_a_try_fails_is_not_left_its_delay(run: Make) -> None:
    """It was out of reach before that try and is there after it: that is a return, too."""
    there = threading.Event()
    gone = ConnectionFailed("cam: off")
    soon_then_never = Backoff(first_s=0.001, longest_s=3600, factor=1e9, jitter=0)

    class Returning(Scripted):
        def __enter__(self) -> Scripted:
            if self.opened == 1:
                there.set()
            return super().__enter__()

    source = Returning([[gone], [gone], [0.0]])
    reader, _mailbox = run(
        source, backoff=soon_then_never, knock_s=0.001, reachable=lambda address: there.is_set()
    )
    until(lambda: reader.status().received == 1)


def test_a_source_out_of_reach_is_tried_once_and_then_rarely(run: Make) -> None:
    """The try says what is wrong; more of them could be hanging just when the source returns."""
    source = Scripted([[ConnectionFailed("cam: off")]] * 9)
    knocks: list[object] = []
    patient = Backoff(first_s=0.001, longest_s=3600, factor=1, jitter=0)
    run(
        source,
        backoff=patient,
        knock_s=0.001,
        reachable=lambda address: bool(knocks.append(address)),
    )
    until(lambda: len(knocks) > 50)
    assert source.opened == 2


def test_waiting_for_an_answer_is_part_of_the_delay(run: Make) -> None:
    """A network in which asking alone takes seconds does not make the wait many times as long."""
    clock = Clock()
    knocks: list[object] = []
    when_opened: list[int] = []
    source = Scripted(
        [[ConnectionFailed("cam: off")], [lambda: when_opened.append(len(knocks)), 0.0]]
    )

    def knock(address: object) -> bool:
        knocks.append(address)
        clock.now_s += 5
        return False

    minute = Backoff(first_s=60, longest_s=60, jitter=0)
    run(source, backoff=minute, knock_s=0.001, reachable=knock, monotonic=clock)
    until(lambda: when_opened)
    assert when_opened == [12]


def test_delays_begin_anew_after_a_success(run: Make) -> None:
    """What was lost before does not slow down the next return."""
    lost = ConnectionFailed("cam: off")
    asked: list[float] = []

    class Counting(Backoff):
        def delays(self) -> Iterator[float]:
            for place in range(1000):
                asked.append(place)
                yield 1e-6

    source = Scripted([[lost], [lost], [0.0], [lost], [0.0]])
    _reader, _mailbox = run(source, backoff=Counting())
    until(lambda: source.opened == 6)
    assert asked == [0, 1, 0, 1, 0]


def test_stopping_while_connecting_is_prompt(readers: list[StreamReader]) -> None:
    """A silent server does not hold up the daemon's end; the thread left behind puts nothing any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"
        options = ReaderOptions(source=SourceOptions(open_timeout_s=2))
        reader = StreamReader(url, name="cam", mailbox=Mailbox(1), options=options)
        readers.append(reader)
        reader.start()
        began = time.monotonic()
        assert not reader.stop(0.05)
        assert time.monotonic() - began < 1.5
        assert reader.status().state == "ended"
        assert reader.stop(20)
        assert reader.status().state == "ended"


def test_stopping_while_waiting_to_try_again(run: Make) -> None:
    """The back-off is no sleep that must be sat out."""
    source = Scripted([[ConnectionFailed("cam: off")]])
    reader, _mailbox = run(source, backoff=Backoff(first_s=3600, longest_s=3600))
    until(lambda: reader.status().error_code)
    assert reader.stop(10)
    assert reader.status().state == "ended"


def test_stopping_while_the_mailbox_is_full(tmp_path: Path) -> None:
    """A taker that is gone does not hold the reader."""
    reader = StreamReader(
        str(record(tmp_path / "c.mp4", 40)),
        name="cam",
        mailbox=Mailbox(1, "block"),
        options=ReaderOptions(fps=1000),
    )
    reader.start()
    until(lambda: reader.status().sampled == 1)
    assert reader.stop(10)


def test_a_closed_mailbox_ends_the_reader(run: Make) -> None:
    """Nobody will take frames any more."""
    gate = threading.Event()
    source = Scripted([[gate.wait, 0.0, *[float(second) for second in range(1, 100)]]])
    reader, mailbox = run(source)
    mailbox.close()
    gate.set()
    until(lambda: reader.stop(0))
    assert reader.status().sampled == 0


def test_a_reader_that_was_never_started_can_be_stopped() -> None:
    """As when the daemon fails half-way through starting."""
    assert StreamReader(CAMERA, name="cam", mailbox=Mailbox(1)).stop(0)


def test_wake_is_called_for_each_frame_and_at_the_end() -> None:
    """The model's thread sleeps in between."""
    mailbox, woken = Mailbox(100), []
    options = ReaderOptions(fps=1000, opener=Scripted([[0.0, 1.0, 2.0]], live=False))
    reader = StreamReader(
        "clip.mp4",
        name="cam",
        mailbox=mailbox,
        options=options,
        wake=lambda: woken.append(len(mailbox)),
    )
    reader.start()
    until(lambda: len(woken) == 4)
    assert woken == [1, 2, 3, 3]


def test_a_full_mailbox_of_a_camera_is_counted_as_backpressure(readers: list[StreamReader]) -> None:
    """The reader never waits for a slow model: it drains the camera and drops the oldest."""
    mailbox = Mailbox(2, "oldest")
    options = ReaderOptions(fps=1000, opener=Scripted([[float(second) for second in range(10)]]))
    reader = StreamReader(CAMERA, name="cam", mailbox=mailbox, options=options)
    readers.append(reader)
    reader.start()
    until(lambda: reader.status().sampled == 10)
    assert reader.status().dropped["backpressure"] == 8
    assert [frame.index for frame in mailbox.take(9)] == [8, 9]


@pytest.mark.parametrize(
    "wrong", [{"speed": 0}, {"speed": -1.0}, {"stall_timeout_s": 0}, {"knock_s": 0}]
)
def test_options_that_make_no_sense(wrong: dict[str, float]) -> None:
    """Told where they are made."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReaderOptions(**wrong)  # type: ignore[arg-type]
