"""Clip: encoded H.264 pictures in memory, as their NAL units: what a server of made-up cameras sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike

import av
import numpy as np
import numpy.typing as npt
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

Image = npt.NDArray[np.uint8]
PARAMETER_SETS = (7, 8)
KEYFRAME = 5


@dataclass(frozen=True, slots=True)
class Clip:
    """Pictures in the order in which they are decoded, the first a keyframe.

    pictures: the NAL units of each, without start codes. shown: for each, its place in the order in which they are shown,
    from 0; it differs from the order of decoding where there are B-frames. fps: pictures a second.
    """

    fps: float
    pictures: tuple[tuple[bytes, ...], ...]
    shown: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.pictures or not 0 < self.fps <= 1000:
            raise ValueError("a clip needs a picture, and from 0 up to 1000 of them a second")
        if sorted(self.shown) != list(range(len(self.pictures))):
            raise ValueError("each of a clip's pictures has a place of its own in what is shown")

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The NAL units that a decoder needs before the first picture."""
        return tuple(nal for nal in self.pictures[0] if nal[0] & 31 in PARAMETER_SETS)

    @property
    def keyframes(self) -> tuple[int, ...]:
        """The places, in order of decoding, at which decoding can begin."""
        return tuple(
            place
            for place, units in enumerate(self.pictures)
            if any(nal[0] & 31 == KEYFRAME for nal in units)
        )

    def then(self, other: Clip) -> Clip:
        """This clip and behind it another, perhaps of another size, at this one's rate."""
        moved = tuple(place + len(self.shown) for place in other.shown)
        return Clip(self.fps, self.pictures + other.pictures, self.shown + moved)


def encode_clip(
    images: Iterable[Image],
    fps: float,
    keyframe_every: int = 10,
    *,
    bit_rate: int = 0,
    b_frames: int = 0,
) -> Clip:
    """RGB images (height, width, 3) of one even size as H.264, parameter sets in front of each keyframe.

    bit_rate: bits a second as an encoder in a camera would spend them; 0 encodes fast, at a steady quality.
    """
    codec: VideoCodecContext | None = None
    packets: list[Packet[VideoStream]] = []
    for index, image in enumerate(images):
        if codec is None:
            size = (image.shape[1], image.shape[0])
            codec = _encoder(size, fps, keyframe_every, bit_rate, b_frames)
        picture = VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts = index
        packets += codec.encode(picture)
    if codec is None:
        raise ValueError("a clip needs a picture")
    packets += codec.encode(None)
    return _clip(packets, fps)


def read_clip(path: str | PathLike[str], *, limit: int = 100_000) -> Clip:
    """The first `limit` pictures of a file's H.264 video, as they are. ValueError where it holds none."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None or stream.codec_context.name != "h264":
            raise ValueError(f"{path} holds no H.264 video; convert it, or give a size")
        rate = getattr(stream, "average_rate", None)
        unwrap = BitStreamFilterContext("h264_mp4toannexb", stream)
        packets: list[Packet[VideoStream]] = []
        for packet in container.demux(stream):
            packets += unwrap.filter(packet) if packet.size else ()
            if len(packets) >= limit:
                break
        return _clip(packets[:limit], float(rate or 25))


def _clip(packets: list[Packet[VideoStream]], fps: float) -> Clip:
    units = [tuple(_nal_units(bytes(packet))) for packet in packets]
    stamps = [place if packet.pts is None else packet.pts for place, packet in enumerate(packets)]
    order = sorted(range(len(stamps)), key=stamps.__getitem__)
    shown = [0] * len(stamps)
    for place, index in enumerate(order):
        shown[index] = place
    return Clip(fps, tuple(units), tuple(shown))


def _encoder(
    size: tuple[int, int], fps: float, keyframe_every: int, bit_rate: int, b_frames: int
) -> VideoCodecContext:
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height = size
    codec.pix_fmt = "yuv420p"
    codec.framerate = Fraction(fps).limit_denominator(1001)
    codec.gop_size = keyframe_every
    # No keyframes but those asked for: who measures wants to know how many there are.
    options = {"preset": "ultrafast", "sc_threshold": "0"}
    if bit_rate:
        # What cameras send: entropy-coded, deblocked, within a rate; ultrafast would be too easy to decode.
        codec.bit_rate = bit_rate
        options |= {"preset": "veryfast", "bufsize": str(bit_rate), "maxrate": str(bit_rate)}
        # One slice a picture, however many cores there are.
        options["x264-params"] = "sliced-threads=0"
    if b_frames:
        codec.max_b_frames = b_frames
    else:
        options["tune"] = "zerolatency"
    codec.options = options
    return codec


def _nal_units(annex_b: bytes) -> Iterator[bytes]:
    for part in annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1"):
        if part:
            yield part
