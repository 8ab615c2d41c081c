"""A stream that is paused, and goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from livevlm.bench.rtsp import RtspServer
from streams.backoff import Backoff
from streams.clip import encode_clip
from streams.errors import ConnectionFailed
from streams.mailbox import Mailbox
from streams.reader import StreamReader
from streams.reading import ReaderOptions
from streams.source import SourceOptions
from tests.streams.pictures import many, number_of, record, until
from tests.streams.scripted import CAMERA, Clock, Make, Scripted, state


def test_a_paused_camera_is_closed_and_opened_again_behind_the_gap(run: Make) -> None:
    """Its time goes on by what passed, its numbers and counts go on, and nobody counts it as a loss."""
    clock, paused = Clock(), threading.Event()
    source = Scripted(
        [[0.0, clock.pass_by(1), 1.0, paused.wait], [0.0, clock.pass_by(1), 1.0]], stays=True
    )
    reader, mailbox = run(source, monotonic=clock)
    until(lambda: reader.status().sampled == 2)
    reader.pause()
    reader.pause()
    assert reader.status().state == "paused"
    clock.now_s += 60
    paused.set()
    until(lambda: source.closed == 1)
    assert (source.opened, reader.status().state) == (1, "paused")
    reader.resume()
    reader.resume()
    until(lambda: reader.status().sampled == 4)
    frames = mailbox.take(10)
    assert [frame.pts_s for frame in frames] == [0.0, 1.0, 61.0, 62.0]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    status = reader.status()
    assert (status.state, status.reconnects, status.error) == ("live", 0, None)


def test_a_real_camera_that_is_paused(run: Make) -> None:
    """Its connection is given up, and it is played anew afterwards."""
    with RtspServer(encode_clip(many(60), 50)) as server:
        reader, mailbox = run(server.url)
        until(lambda: reader.status().sampled >= 5)
        reader.pause()
        before = mailbox.take(1000)
        reader.resume()
        until(lambda: server.plays == 2 and reader.status().state == "live")
        count = reader.status().received
        until(lambda: reader.status().received >= count + 5)
        after = mailbox.take(1000)
        assert reader.stop(10)
    times = [frame.pts_s for frame in (*before, *after)]
    assert times == sorted(times)
    assert [frame.index for frame in (*before, *after)] == list(range(len(times)))
    assert reader.status().reconnects == 0


def test_a_pause_that_is_over_before_anybody_looked(run: Make) -> None:
    """It is no loss: neither told as an error nor counted."""
    asked, done = threading.Event(), threading.Event()
    source = Scripted([[0.0, asked.set, done.wait, 1.0], [0.0]], stays=True)
    reader, _mailbox = run(source, backoff=Backoff(first_s=3600, longest_s=3600))
    asked.wait(30)
    reader.pause()
    reader.resume()
    done.set()
    until(lambda: source.opened == 2 and reader.status().state == "live")
    assert (reader.status().reconnects, reader.status().error) == (0, None)


def test_pausing_a_source_that_is_away(run: Make) -> None:
    """It is not looked for; and resuming tries at once, whatever was left of the delay."""
    source = Scripted([[ConnectionFailed("cam: off")], [0.0]], stays=True)
    reader, _mailbox = run(source, backoff=Backoff(first_s=3600, longest_s=3600))
    until(lambda: reader.status().error_code)
    reader.pause()
    assert (reader.status().state, reader.status().error) == ("paused", None)
    assert source.opened == 1
    reader.resume()
    until(state(reader, "live"))


def test_a_paused_recording_goes_on_with_the_next_picture(run: Make, tmp_path: Path) -> None:
    """Nothing is lost, nothing comes twice, and its time knows no gap."""
    mailbox = Mailbox(2, "block")
    reader = StreamReader(
        str(record(tmp_path / "c.mp4", 40)),
        name="cam",
        mailbox=mailbox,
        options=ReaderOptions(fps=1000),
    )
    reader.start()
    until(lambda: len(mailbox) == 2)
    reader.pause()
    seen = mailbox.take(2)
    assert reader.status().state == "paused"
    reader.resume()
    until(lambda: seen.__iadd__(mailbox.take(1)) and len(seen) == 40)
    until(state(reader, "ended"))
    assert [number_of(frame.image) for frame in seen] == list(range(40))
    assert [frame.pts_s for frame in seen] == pytest.approx([i / 25 for i in range(40)], abs=0.002)
    assert reader.status().reconnects == 0


def test_while_a_recording_is_paused_nothing_comes(run: Make, tmp_path: Path) -> None:
    """Also where there is room in the mailbox again."""
    mailbox = Mailbox(2, "block")
    path = str(record(tmp_path / "c.mp4", 40))
    reader = StreamReader(path, name="cam", mailbox=mailbox, options=ReaderOptions(fps=1000))
    reader.start()
    until(lambda: len(mailbox) == 2)
    reader.pause()
    mailbox.take(2)
    # As long as the putter's own patience: then it must have looked.
    threading.Event().wait(0.5)
    assert len(mailbox) <= 1, "at most the frame that was under way"
    assert reader.stop(10)
    assert reader.status().state == "ended"


def test_a_paced_recordings_schedule_moves_with_the_pause(run: Make) -> None:
    """What was due in a minute is due in a minute again, not at once for all that was missed."""
    clock = Clock()
    # How often the stream's thread looked at the clock since the picture before the one that is paced.
    looks: list[float] = []

    def look() -> float:
        if threading.current_thread().name == "stream-cam":
            looks.append(clock.now_s)
        return clock.now_s

    source = Scripted([[0.0, looks.clear, 60.0]], live=False)
    stamps = SourceOptions(clock=clock)
    reader, mailbox = run(source, "block", monotonic=look, speed=1.0, source=stamps)
    until(lambda: reader.status().received == 2 and len(looks) >= 2)  # it came; when is it due?
    reader.pause()
    until(lambda: len(looks) >= 3)  # it rests from now
    clock.now_s += 3600
    reader.resume()
    until(lambda: len(looks) >= 5)  # until now; when is it due?
    clock.now_s += 60
    reader.pause()
    reader.resume()
    until(state(reader, "ended"))
    assert [frame.captured_utc for frame in mailbox.take(9)] == [1000, 4660]


@pytest.mark.parametrize("live", [True, False])
def test_a_paused_stream_can_be_stopped(run: Make, live: bool) -> None:
    """And is ended then; resuming it afterwards changes nothing."""
    source = Scripted([[0.0, *[float(second) for second in range(1, 100)]]], live=live)
    reader, _mailbox = run(source)
    reader.pause()
    assert reader.stop(10)
    reader.resume()
    reader.pause()
    assert reader.status().state == "ended"


def test_a_stream_may_begin_paused() -> None:
    """Nothing is opened before it is resumed."""
    source = Scripted([[0.0]])
    mailbox = Mailbox(9)
    options = ReaderOptions(opener=source)
    reader = StreamReader(CAMERA, name="cam", mailbox=mailbox, options=options)
    reader.pause()
    reader.start()
    assert (source.opened, reader.status().state) == (0, "paused")
    reader.resume()
    until(lambda: len(mailbox) == 1)
    assert reader.stop(10)


def test_a_live_pipe_is_held_and_its_end_is_the_end() -> None:
    """Standard input cannot be opened again: it is not left for a pause, nor for silence, nor tried again at its end."""
    clock, asked, paused = Clock(), threading.Event(), threading.Event()
    source = Scripted([[0.0, asked.set, paused.wait, clock.pass_by(100), 1.0, 2.0]])
    mailbox = Mailbox(9)
    options = ReaderOptions(fps=1000, opener=source, monotonic=clock, stall_timeout_s=15)
    reader = StreamReader("pipe:?live=1", name="cam", mailbox=mailbox, options=options)
    reader.start()
    assert asked.wait(30)
    reader.pause()
    paused.set()
    until(lambda: clock.now_s == 1100)
    assert (len(mailbox), reader.status().state) == (1, "paused")
    reader.resume()
    until(state(reader, "ended"))
    assert [frame.index for frame in mailbox.take(9)] == [0, 1, 2]
    assert (source.opened, reader.status().reconnects, reader.status().error) == (1, 0, None)


def test_a_pipe_that_cannot_be_read_has_failed() -> None:
    """Trying again would only find it taken."""
    source = Scripted([[ConnectionFailed("standard input: broken")]])
    options = ReaderOptions(opener=source)
    reader = StreamReader("pipe:?live=1", name="cam", mailbox=Mailbox(1), options=options)
    reader.start()
    until(state(reader, "failed"))
    assert reader.stop(10)
