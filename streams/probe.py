"""Probe: what is behind an address, looked at for a few seconds.

All of it is seen from here. How long opening takes, how evenly pictures come and how clocks run against each other can be told;
how old a picture is when it comes only where the camera says what time it was there (streams/arrival.py).
"""

from __future__ import annotations

import math
import struct
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise

from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streams.address import Address, parse_address
from streams.arrival import ArrivalReport, Moment, arrival_report
from streams.errors import SourceStalled, StreamError
from streams.libav import Video
from streams.open import open_source
from streams.opening import MICROSECONDS
from streams.source import SourceOptions, keep_all
from streams.timeline import LIVE_JUMP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class StampReport:
    """The health of time stamps: how many were missing, repeated, running back or jumping; the longest gap in seconds."""

    missing: int
    repeated: int
    backwards: int
    jumps: int
    longest_gap_s: float

    @property
    def healthy(self) -> bool:
        """Whether time runs as it should; one missing stamp at the start is usual over RTSP."""
        return self.missing <= 1 and not (self.repeated or self.backwards or self.jumps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What a source is. `source` is without credentials; None where something could not be told.

    profile, level: the codec's, as its standard names them. fps_claimed: what the container says; fps_measured: what the stamps
    say. keyframe_every: the longest run from one keyframe to the next, in pictures. open_s, first_picture_s: from beginning to
    open until it was open, and until the first picture. corrupt: damaged pictures. arrival: of a live source. broke: why it
    broke off after pictures had come.
    """

    source: str
    live: bool
    format: str
    codec: str
    width: int
    height: int
    pixel_format: str
    fps_measured: float | None
    keyframe_every: int | None
    pictures: int
    corrupt: int
    first_picture_s: float
    stamps: StampReport
    fps_claimed: float | None = None
    duration_s: float | None = None
    profile: str | None = None
    level: str | None = None
    open_s: float | None = None
    arrival: ArrivalReport | None = None
    broke: str | None = None


@dataclass(slots=True)
class _Tally:
    """What the pictures show while they pass, and whether that is enough."""

    seconds: float
    patience_s: float
    began_s: float = field(default_factory=time.monotonic)
    first_s: float = math.inf
    size: tuple[int, int] = (0, 0)
    pixel_format: str = "rgb24"
    stamps: list[float | None] = field(default_factory=list)
    keyframes: list[int] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)

    def over(self) -> bool:
        """Whether enough was seen, or nothing for too long."""
        now_s = time.monotonic()
        return now_s > min(self.first_s + self.seconds, self.began_s + self.patience_s)

    def lose(self, reason: str) -> None:
        self.lost[reason] += 1

    def see(self, stamp_s: float | None, *, keyframe: bool) -> None:
        if not self.stamps:
            self.first_s = time.monotonic()
            self.patience_s = math.inf
        if keyframe:
            self.keyframes.append(len(self.stamps))
        self.stamps.append(stamp_s)

    def see_picture(self, picture: VideoFrame) -> None:
        self.size = picture.width, picture.height
        self.pixel_format = picture.format.name
        self.see(picture.time, keyframe=picture.key_frame)

    def steps(self) -> list[float]:
        known = [stamp for stamp in self.stamps if stamp is not None]
        return [later - sooner for sooner, later in pairwise(known)]

    def fps(self) -> float | None:
        usual = [step for step in self.steps() if abs(step) <= LIVE_JUMP_S]
        return len(usual) / sum(usual) if sum(usual) > 0 else None

    def stamp_report(self) -> StampReport:
        steps = self.steps()
        return StampReport(
            missing=sum(stamp is None for stamp in self.stamps),
            repeated=sum(step == 0 for step in steps),
            backwards=sum(step < 0 for step in steps),
            jumps=sum(step > LIVE_JUMP_S for step in steps),
            longest_gap_s=max(steps, default=0.0),
        )

    def report(self, source: str, *, live: bool, format: str, codec: str) -> ProbeReport:
        runs = [later - sooner for sooner, later in pairwise(self.keyframes)]
        return ProbeReport(
            source=source,
            live=live,
            format=format,
            codec=codec,
            width=self.size[0],
            height=self.size[1],
            pixel_format=self.pixel_format,
            fps_measured=self.fps(),
            keyframe_every=max(runs, default=None),
            pictures=len(self.stamps),
            corrupt=self.lost["corrupt"],
            first_picture_s=self.first_s - self.began_s,
            stamps=self.stamp_report(),
        )


def probe(url: str, *, seconds: float = 5.0, options: SourceOptions | None = None) -> ProbeReport:
    """Open the address and look at its pictures for so many seconds, or to its end. StreamError where there is nothing to see.

    Of `options`, `keep`, `on_drop` and `cancelled` are the probe's own.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"a source is probed for a number of seconds above 0, not {seconds}")
    options = options or SourceOptions()
    tally = _Tally(seconds, patience_s=seconds + 2 * options.open_timeout_s)
    own = replace(options, keep=keep_all, on_drop=tally.lose, cancelled=tally.over)
    address = parse_address(url)
    if address.kind in ("test", "folder"):
        return _probe_pictures(url, address, tally, own)
    return _probe_video(address, tally, own)


def _probe_video(address: Address, tally: _Tally, options: SourceOptions) -> ProbeReport:
    with Video(address, options) as video:
        open_s = time.monotonic() - tally.began_s
        broke: str | None = None
        moments: list[Moment] = []
        try:
            for packet in video.packets():
                moments += _moments(packet, options)
                for picture in video.decode(packet):
                    tally.see_picture(picture)
        except StreamError as error:
            if not tally.stamps:
                raise
            broke = error.message
        if not tally.stamps and video.live:
            hint = "check that the camera sends H.264, and keyframes"
            raise SourceStalled(f"{address.shown} sends data, but no picture; {hint}")
        if not tally.stamps:
            raise video.no_picture()
        codec = video.stream.codec_context
        return replace(
            tally.report(address.shown, live=video.live, format=video.format, codec=codec.name),
            fps_claimed=video.fps_claimed,
            duration_s=video.duration_s,
            profile=codec.profile,
            level=_level(codec),
            open_s=open_s,
            arrival=arrival_report(moments) if video.live else None,
            broke=broke,
        )


def _moments(packet: Packet[Stream], options: SourceOptions) -> list[Moment]:
    """When a packet came, where it has a stamp: at most one."""
    stamp = packet.pts if packet.dts is None else packet.dts
    if stamp is None:
        return []
    age_s: float | None = None
    if packet.has_sidedata("prft"):  # Microseconds of UTC at the sender, then flags.
        (sent_us,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
        age_s = options.clock() - sent_us / MICROSECONDS
    return [Moment(float(stamp * packet.time_base), time.monotonic(), age_s)]


def _level(codec: VideoCodecContext) -> str | None:
    """As the standard writes it: H.264 counts levels in tenths, HEVC in thirtieths."""
    parts = {"h264": 10, "hevc": 30}.get(codec.name)
    level = codec.level
    return f"{level / parts:.1f}" if parts and level is not None and level > 0 else None


def _probe_pictures(
    url: str, address: Address, tally: _Tally, options: SourceOptions
) -> ProbeReport:
    """The test pattern is drawn and a folder holds single pictures: every one of them is a keyframe."""
    with open_source(url, name="probe", options=options) as source:
        open_s = time.monotonic() - tally.began_s
        for frame in source:
            tally.size = frame.image.shape[1], frame.image.shape[0]
            tally.see(frame.pts_s, keyframe=True)
            if tally.over():
                break
        if not tally.stamps:
            raise SourceStalled(
                f"{address.shown}: no picture came; check what should put them there"
            )
        codec = "none" if address.kind == "test" else "still pictures"
        report = tally.report(address.shown, live=source.live, format=address.kind, codec=codec)
        return replace(report, open_s=open_s)
