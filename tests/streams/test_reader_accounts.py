"""What a reader says of the pictures that came, while they come, and of how its stream is doing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from livevlm.bench.rtsp import RtspServer
from streams.backoff import Backoff
from streams.clip import encode_clip
from streams.errors import ConnectionFailed
from streams.frame import Frame
from streams.journal import ReaderStatus
from streams.mailbox import Mailbox
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.source import SourceOptions
from tests.streams.pictures import many, until
from tests.streams.scripted import CAMERA, SOON, Clock, Make, Scripted, state


def whole(status: ReaderStatus) -> bool:
    """Whether every picture is accounted for."""
    gone = status.unsampled + sum(status.dropped.values()) + status.waiting + status.taken
    return status.received == gone and status.waiting >= 0


@pytest.mark.parametrize("fps", [5.0, 1000.0])
@pytest.mark.parametrize("policy", ["oldest", "latest"])
def test_every_picture_of_a_camera_is_accounted_for_all_the_time(
    readers: list[StreamReader], policy: str, fps: float
) -> None:
    """Whoever looks, whenever: while pictures come, are left out, give way and are taken, also over a loss."""
    mailbox = Mailbox(3, policy)  # type: ignore[arg-type]
    with RtspServer(encode_clip(many(60), 50)) as server:
        options = ReaderOptions(fps=fps, backoff=SOON, knock_s=0.05)
        reader = StreamReader(server.url, name="cam", mailbox=mailbox, options=options)
        readers.append(reader)
        reader.start()
        looks = 0

        def enough(received: int) -> bool:
            nonlocal looks
            looks += 1
            status = reader.status()
            assert whole(status), status
            mailbox.take(looks % 3)
            return status.received >= received

        until(lambda: enough(60))
        server.stop()
        until(lambda: enough(0) and reader.status().state == "reconnecting")
        server.start()
        until(lambda: enough(120))
        assert reader.stop(10)
    assert whole(reader.status())
    assert looks > 10


def test_a_recording_is_accounted_for_to_its_end(run: Make) -> None:
    """At the end nothing is left: looked at or not, each picture is told of."""
    source = Scripted([[float(index) / 10 for index in range(100)]], live=False)
    reader, mailbox = run(source, "block", fps=2.0)
    until(state(reader, "ended"))
    mailbox.take(100)
    status = reader.status()
    assert whole(status)
    assert (status.received, status.unsampled, status.taken, status.waiting) == (100, 80, 20, 0)


def test_a_picture_that_breaks_on_its_way_to_a_frame_is_counted_as_damaged(run: Make) -> None:
    """Sampled, but never a frame: it does not wait for ever."""

    class Breaking(Scripted):
        def __iter__(self) -> Iterator[Frame]:
            self.options.keep(0.0)
            self.options.keep(1.0)
            raise ConnectionFailed("cam: broke off")

    reader, _mailbox = run(Breaking([[0.0]]), backoff=Backoff(first_s=3600, longest_s=3600))
    until(lambda: reader.status().error_code)
    status = reader.status()
    assert (status.received, status.dropped["corrupt"], status.waiting) == (2, 2, 0)


class Showing(Scripted):
    """Frames of which all but every fifth show the same."""

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            level = 200 if frame.index % 5 == 0 else 50
            yield Frame("cam", frame.index, frame.pts_s, 0.0, np.full((8, 8, 3), level, np.uint8))


def test_frames_like_the_one_before_are_left_out_and_counted(run: Make) -> None:
    """With a gate only what is new is looked at; without one, everything is."""
    times = [float(second) for second in range(10)]
    reader, mailbox = run(Showing([times], live=False), "block", gate=6.0)
    until(state(reader, "ended"))
    assert [frame.index for frame in mailbox.take(100)] == [0, 1, 5, 6]
    status = reader.status()
    assert whole(status)
    assert status.dropped["similar"] == 6
    reader, mailbox = run(Showing([times], live=False), "block")
    until(state(reader, "ended"))
    assert len(mailbox) == 10


def test_the_first_frame_after_a_loss_is_looked_at_whatever_it_shows(run: Make) -> None:
    """Nobody knows what happened meanwhile; and the stream's present moves on."""
    source = Scripted([[0.0], [0.0]], stays=True)
    clock = Clock()
    reader, _mailbox = run(source, gate=6.0, gate_longest_s=1e6, monotonic=clock)
    until(lambda: reader.status().sampled == 1)
    reader.pause()
    clock.now_s += 1
    reader.resume()
    until(lambda: reader.status().sampled == 2)
    assert reader.status().dropped["similar"] == 0


def test_waiting_for_a_keyframe_is_no_stall(run: Make) -> None:
    """A camera that sends one every 20 s would else be opened again every 15, for ever."""
    clock = Clock()

    class Slow(Scripted):
        def __iter__(self) -> Iterator[Frame]:
            for _ in range(10):
                clock.now_s += 10
                self.options.on_drop("before_keyframe")
                assert not self.options.cancelled()
            yield from super().__iter__()

    reader, _mailbox = run(Slow([[0.0]], stays=True), monotonic=clock, stall_timeout_s=15)
    until(lambda: reader.status().received == 11)
    assert (reader.status().state, reader.status().dropped["before_keyframe"]) == ("live", 10)


def test_a_source_that_hangs_in_being_opened_blocks_nobody(
    run: Make, readers: list[StreamReader]
) -> None:
    """Neither another stream nor whoever asks, pauses, resumes or stops it."""
    hanging, let_go = threading.Event(), threading.Event()

    class Hanging(Scripted):
        def __enter__(self) -> Hanging:
            hanging.set()
            assert let_go.wait(60)
            raise ConnectionFailed("cam: at last")

    stuck = StreamReader(
        CAMERA, name="stuck", mailbox=Mailbox(1), options=ReaderOptions(opener=Hanging([]))
    )
    readers.append(stuck)
    stuck.start()
    assert hanging.wait(30)
    other, _mailbox = run(Scripted([[float(second) for second in range(50)]], stays=True))
    until(lambda: other.status().sampled == 50)
    assert stuck.status().state == "connecting"
    stuck.pause()
    assert stuck.status().state == "paused"
    stuck.resume()
    assert not stuck.stop(0.01)
    assert stuck.status().state == "ended"
    let_go.set()
    assert stuck.stop(30)
    assert (stuck.status().state, stuck.status().error) == ("ended", None)


def test_the_same_unexpected_error_is_logged_once(
    run: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug that comes back with every opening must not fill the disk."""
    source = Scripted([[0.0, ZeroDivisionError("a bug")]] * 5 + [[0.0, KeyError("another")]])
    with caplog.at_level(logging.INFO):
        run(source)
        until(lambda: source.opened == 7)
    assert caplog.text.count("ZeroDivisionError: a bug") == 1
    assert caplog.text.count("KeyError: 'another'") == 1


def test_a_camera_that_does_not_come_back_is_told_of_once(
    run: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Many tries, one line."""
    source = Scripted([[0.0], *[[ConnectionFailed("cam: off")]] * 50])
    with caplog.at_level(logging.INFO):
        _reader, _mailbox = run(source)
        until(lambda: source.opened == 52)
    assert sum("cam: off" in record.message for record in caplog.records) == 1


def test_a_camera_s_clock_is_held_against_ours(run: Make) -> None:
    """It claims 11 s for each ten that pass."""
    clock = Clock()
    steps: list[object] = []
    for step in range(100):
        steps += [11.0 * step, clock.pass_by(10)]
    reader, _mailbox = run(Scripted([steps], stays=True), monotonic=clock, stall_timeout_s=1e6)  # type: ignore[list-item]
    until(lambda: reader.status().received == 100)
    drift = reader.status().drift
    assert drift.per_hour_s == pytest.approx(360)
    assert drift.ahead_s == pytest.approx(96, abs=6)


def test_the_next_try_is_announced(run: Make) -> None:
    """Whoever waits for a camera wants to know how long."""
    source = Scripted([[ConnectionFailed("cam: off")]])
    options = {"backoff": Backoff(first_s=50, longest_s=50, jitter=0), "monotonic": Clock()}
    reader, _mailbox = run(source, source=SourceOptions(clock=lambda: 5.0), **options)
    until(lambda: reader.status().error_code)
    assert reader.status().next_try_s == 50
    assert reader.status().since_utc == 5.0
