"""What need not be decoded: which packets are, which wait, which are let go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.nal import Kind
from streams.sampler import PATIENCE, Sampler
from streams.source import Decode
from streams.thrift import KEYFRAMES_AT_LEAST, MOST_PACKETS, Arrival, Thrift

FPS = 15


class Camera:
    """Pictures that come one by one, seen through a thrift and a sampler as a source and a reader do; the decoder is a list."""

    def __init__(
        self, *, gop: int, fps: float = 1.0, decode: Decode = "auto", delay: int = 0
    ) -> None:
        self._gop, self._delay = gop, delay
        self._sampler = Sampler(fps)
        self._inside: list[int] = []
        self._shown_s = 0.0
        self.decoded: list[int] = []
        self.kept: list[int] = []
        self.kept_when: list[int] = []
        self.held = self.skipped = 0
        self.thrift: Thrift[int] = Thrift(
            decode, due=self._due, held=self._hold, skipped=self._skip
        )

    def _due(self, pts_s: float, keyframe: bool) -> bool:
        if keyframe:
            self._sampler.draw(pts_s)
        return self._sampler.due(max(pts_s, self._shown_s))  # As a reader's time never runs back.

    def _hold(self) -> None:
        self.held += 1

    def _skip(self) -> None:
        self.skipped += 1

    def run(self, count: int, kind: Callable[[int], Kind] | None = None) -> None:
        """So many pictures; `kind` says what each is, where that is not told by the GOP alone."""
        for number in range(count):
            key = number % self._gop == 0
            what: Kind = "key" if key else "plain" if kind is None else kind(number)
            arrival = Arrival(number, what, keyframe=key, stamp_s=number / FPS, size=1000)
            for packet in self.thrift.admit(arrival):
                self.decoded.append(packet)
                self._inside.append(packet)
                while len(self._inside) > self._delay:
                    self._show(self._inside.pop(0), number)

    def _show(self, picture: int, now: int) -> None:
        pts_s = picture / FPS
        kept = self._sampler.keep(pts_s)
        self.thrift.saw(pts_s, pts_s)
        self._shown_s = pts_s
        if kept:
            self.kept.append(picture)
            self.kept_when.append(now)


def test_the_same_pictures_are_seen_at_the_same_moment_for_less() -> None:
    """One a second of a camera whose keyframes come every two: what is sampled is what was before, and nothing comes later."""
    thrifty, lavish = Camera(gop=30), Camera(gop=30, decode="all")
    thrifty.run(300)
    lavish.run(300)
    assert thrifty.kept == lavish.kept == list(range(0, 300, 15))
    assert thrifty.kept_when == thrifty.kept
    assert len(lavish.decoded) == 300
    assert len(thrifty.decoded) == 160


def test_every_packet_is_decoded_or_told_of() -> None:
    """Nothing is lost between the counts, and what is decoded is decoded in order, once."""
    camera = Camera(gop=30)
    camera.run(200)
    camera.thrift.close()
    assert camera.decoded == sorted(set(camera.decoded))
    assert len(camera.decoded) + camera.skipped == 200
    assert camera.held > camera.skipped > 0


def test_a_picture_is_decoded_with_all_it_refers_to() -> None:
    """From its keyframe on without a gap: otherwise it would come out smeared."""
    camera = Camera(gop=40)
    camera.run(400)
    for picture in camera.kept:
        first = picture - picture % 40
        assert set(range(first, picture + 1)) <= set(camera.decoded)


@pytest.mark.parametrize("gop", [13, 14, 15])
def test_keyframes_alone_where_they_come_as_often_as_pictures_are_due(gop: int) -> None:
    """Also where the camera's second is not quite ours: the sampling is drawn to them and does not run away from them."""
    camera = Camera(gop=gop)
    camera.run(100 * FPS)
    if gop >= 14:
        assert camera.decoded == list(range(0, 100 * FPS, gop))
    assert 100 <= len(camera.kept) <= 115


def test_keyframes_that_stand_badly_are_met_in_the_end() -> None:
    """A GOP may begin anywhere, after a cut or a reconnect: one picture too many, and then the cheap ones again."""
    sampler = Sampler(1.0)
    kept = []
    for number in range(30 * FPS):
        pts_s = number / FPS
        if number % 30 == 9:
            sampler.draw(pts_s)
        if sampler.keep(pts_s):
            kept.append(number)
    assert set(kept[PATIENCE + 3 :]) <= set(range(9, 30 * FPS, 15))
    assert len(kept) <= 32


def test_the_grid_stays_where_keyframes_are_many() -> None:
    """A camera that sends nothing but keyframes is sampled as often as was asked for, not an eighth more often."""
    camera = Camera(gop=1)
    camera.run(60 * FPS)
    assert camera.kept == camera.decoded == list(range(0, 60 * FPS, FPS))


def test_pictures_that_nothing_refers_to_are_let_go_at_once() -> None:
    """They are not decoded even where what is around them is."""
    camera = Camera(gop=60)
    camera.run(60, lambda number: "spare" if number % 2 else "plain")
    assert {number for number in camera.decoded if number % 2} <= {15, 45}
    assert camera.kept == [0, 15, 30, 45]


def test_a_decoder_that_gives_pictures_late_is_fed_until_the_one_that_is_due_comes() -> None:
    """B-frames: it must not wait inside until the next one is due."""
    camera = Camera(gop=30, delay=2)
    camera.run(300)
    assert camera.kept == list(range(0, 298, 15))
    assert camera.kept_when == [picture + 2 for picture in camera.kept]
    assert len(camera.decoded) < 200


def test_where_pictures_fail_everything_is_decoded_and_nothing_counts_as_life() -> None:
    """Until a picture comes out again: the watchdog must notice a camera of which nothing can be decoded."""
    camera = Camera(gop=30, delay=1000)
    camera.run(100)
    assert camera.decoded == list(range(100))
    assert (camera.held, camera.skipped) == (0, 0)


@pytest.mark.parametrize("stamps", [[0.0, 0.1, None], [0.0, 0.1, -5.0], [0.0, 0.1, 99.0]])
def test_a_stamp_that_tells_nothing_has_its_picture_decoded(stamps: list[float | None]) -> None:
    """Time that is missing, runs back or jumps is for the timeline to judge, which sees decoded pictures only."""
    camera = Camera(gop=1000)
    fed = []
    for number, stamp_s in enumerate(stamps):
        arrival = Arrival(number, "plain", keyframe=False, stamp_s=stamp_s, size=10)
        fed.append(camera.thrift.admit(arrival))
        if number == 0:
            camera._show(0, 0)
    assert fed == [[0], [], [1, 2]]


def test_what_waits_is_bounded() -> None:
    """A stream without keyframes, hardly ever sampled, must not fill the memory."""
    camera = Camera(gop=100_000, fps=0.001)
    camera.run(3 * MOST_PACKETS)
    assert camera.decoded == list(range(3 * MOST_PACKETS - MOST_PACKETS + 1))


def test_only_keyframes_where_that_is_asked_for() -> None:
    """The rest is counted, is a sign of life while keyframes give pictures, and none where they do not."""
    camera = Camera(gop=10, decode="keyframes")
    camera.run(100)
    assert camera.decoded == list(range(0, 100, 10))
    assert (camera.skipped, camera.held) == (90, 90)
    broken = Camera(gop=10, decode="keyframes", delay=1000)
    broken.run(100)
    assert (broken.skipped, broken.held) == (90, 0)


def test_a_stream_without_keyframes_is_decoded_after_all() -> None:
    """Some encoders never send a second one: a camera must not stay dark for that."""
    camera = Camera(gop=100_000, decode="keyframes")
    camera.run(KEYFRAMES_AT_LEAST + 50)
    assert camera.decoded == [0, *range(KEYFRAMES_AT_LEAST + 1, KEYFRAMES_AT_LEAST + 50)]
