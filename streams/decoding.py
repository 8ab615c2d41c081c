"""Decoding: what it costs to decode a clip and do nothing else, in full or only as far as sampling needs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from streams.clip import Clip
from streams.nal import kind_of
from streams.sampler import Sampler
from streams.source import Decode
from streams.thrift import Arrival, Thrift

START_CODE = b"\0\0\0\1"
CLOCK_HZ = 90_000


@dataclass(frozen=True, slots=True)
class Effort:
    """What one thread did: pictures that came, pictures decoded, and its own processor time and elapsed time in seconds."""

    came: int
    decoded: int
    cpu_s: float
    elapsed_s: float


def decode_clip(clip: Clip, *, seconds: float, decode: Decode = "all", fps: float = 1.0) -> Effort:
    """Play the clip in a loop as fast as it goes, for so many seconds of the clock, at least once to its end.

    fps: pictures a second of the clip's time that are sampled, which says what need not be decoded.
    """
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, VideoCodecContext)
    codec.thread_count = 1
    sampler = Sampler(fps)

    def due(pts_s: float, keyframe: bool) -> bool:
        if keyframe:
            sampler.draw(pts_s)
        return sampler.due(pts_s)

    thrift: Thrift[Packet[Stream]] = Thrift(decode, due=due, held=_nothing, skipped=_nothing)
    came = decoded = 0
    began_s, began_cpu_s = time.perf_counter(), time.thread_time()
    for arrival in _arrivals(clip):
        if came >= len(clip.pictures) and time.perf_counter() - began_s >= seconds:
            break
        came += 1
        for packet in thrift.admit(arrival):
            for picture in codec.decode(packet):
                decoded += 1
                stamp_s = picture.time or 0.0
                sampler.keep(stamp_s)
                thrift.saw(stamp_s, stamp_s)
    return Effort(came, decoded, time.thread_time() - began_cpu_s, time.perf_counter() - began_s)


def _arrivals(clip: Clip) -> Iterator[Arrival[Packet[Stream]]]:
    """The clip's packets for ever, stamped as a camera would go on stamping them."""
    datas = [b"".join(START_CODE + nal for nal in units) for units in clip.pictures]
    turn = 0
    while True:
        for data, place in zip(datas, clip.shown, strict=True):
            packet: Packet[Stream] = Packet(data)
            packet.pts = round((turn * len(datas) + place) * CLOCK_HZ / clip.fps)
            packet.time_base = Fraction(1, CLOCK_HZ)
            kind = kind_of("h264", data, marked_key=False)
            stamp_s = packet.pts / CLOCK_HZ
            yield Arrival(packet, kind, keyframe=kind == "key", stamp_s=stamp_s, size=len(data))
        turn += 1


def _nothing() -> None:
    """Count nothing: what came and what was decoded says it all."""
