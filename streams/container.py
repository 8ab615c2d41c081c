"""ContainerSource: frames out of anything that libav opens. A file, a camera on the network or on a port, a screen."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from streams.address import Address
from streams.errors import CodecUnsupported, StreamError
from streams.frame import Frame
from streams.libav import Video
from streams.nal import KNOWN, kind_of
from streams.place import Approach, Astray, Ruler, reached
from streams.source import SourceOptions
from streams.thrift import Arrival, Thrift
from streams.timeline import Stamper, Timeline

# Some encoders refresh pictures bit by bit and never send a keyframe; after this many the picture is whole.
KEYFRAME_PATIENCE = 300
# What a picture says that does not say how its colours are coded (ITU-T H.273).
UNSPECIFIED = 2
# Packets that a decoder may be behind its pictures.
DECODER_DELAY = 64
# Taken where a source does not say how many pictures a second it has.
USUAL_FPS = 25.0
# How long before a place is sought: a container may seek by the time of decoding, which is earlier, or only about.
MARGINS_S = (1.0, 30.0)

logger = logging.getLogger(__name__)


class ContainerSource:
    """Decodes the pictures, asks `keep` by their stream time, and converts only what is kept, scaled on the way.

    Of a live source only what a picture that is due needs is decoded (see Thrift), unless the options say otherwise.
    """

    def __init__(self, address: Address, *, name: str, options: SourceOptions) -> None:
        self._address = address
        self._name = name
        self._options = options
        self._reformatter = VideoReformatter()
        self._video: Video | None = None
        self._damaged = False
        self._key_stamps: deque[int] = deque(maxlen=DECODER_DELAY)

    @property
    def live(self) -> bool:
        """Whether pictures come when they happen; what the address tells, and once opened, what the container tells."""
        return self._address.live if self._video is None else self._video.live

    def __enter__(self) -> Self:
        assert self._video is None, "a source is opened once at a time"
        self._open()
        return self

    def _open(self) -> None:
        self._damaged = False
        self._video = Video(self._address, replace(self._options, on_drop=self._drop))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._video is not None:
            self._video.__exit__(None, None, None)
            self._video = None

    def __iter__(self) -> Iterator[Frame]:
        assert self._video is not None, "a source is entered before it is read"
        behind = self._options.behind
        if behind is None or self.live:
            yield from self._frames(self._video)
            return
        for margin_s in MARGINS_S:
            if behind.stamp_s is None or behind.pts_s <= margin_s:
                break
            approach = Approach(behind.stamp_s)
            try:
                if self._video.seek(behind.stamp_s - margin_s):
                    yield from self._frames(self._video, approach)
                    return
            except (Astray, StreamError):
                if approach.arrived:
                    raise
            if self._options.cancelled():
                return
            self._close()
            self._open()
        if behind.pts_s > MARGINS_S[0]:
            text = "stream %s: %s cannot be sought in: all up to %.1f s is gone through again"
            logger.info(text, self._name, self._address.shown, behind.pts_s)
        yield from self._frames(self._video)

    def _frames(self, video: Video, approach: Approach | None = None) -> Iterator[Frame]:
        """The kept pictures' frames, from where the container stands. approach: to the place that was sought. Raises Astray."""
        behind, begun = self._options.behind, None
        if approach is not None and behind is not None and behind.stamp_s is not None:
            begun = (behind.pts_s, behind.stamp_s)
        self._key_stamps.clear()
        stamper, ruler = Stamper(), Ruler(begun)
        interval_s = 1 / (video.fps_claimed or USUAL_FPS)
        timeline = Timeline(live=self.live, interval_s=interval_s, begun=begun)
        thrift = self._thrift(video)
        for index, picture in enumerate(self._pictures(video, thrift)):
            stamp_s = stamper.choose(picture.time, _decoded_s(picture))
            if approach is not None and not approach.behind(stamp_s):
                continue
            pts_s = timeline.at(stamp_s, time.monotonic())
            own_s = ruler.stamp(pts_s, stamp_s if stamp_s == picture.time else None)
            if not (self.live or reached(behind, pts_s)):
                continue
            kept = self._options.keep(pts_s)
            thrift.saw(picture.time, pts_s)
            if kept:
                image = self._convert(picture)
                yield Frame(self._name, index, pts_s, self._options.clock(), image, own_s)
        if approach is not None and not self._options.cancelled():
            approach.end()

    def _thrift(self, video: Video) -> Thrift[Packet[Stream]]:
        """What need not be decoded: nothing is left out of a recording, or where packets do not say what they are."""
        exact = self._options.decode == "auto" and not self.live
        known = video.stream.codec_context.codec.canonical_name in KNOWN
        return Thrift(
            "all" if exact or not known else self._options.decode,
            due=self._options.due,
            held=self._options.on_held,
            skipped=partial(self._options.on_drop, "skipped"),
        )

    def _decoded(
        self, video: Video, thrift: Thrift[Packet[Stream]]
    ) -> Generator[VideoFrame, None, None]:
        """The whole pictures of the packets that are decoded."""
        codec = video.stream.codec_context.codec.canonical_name
        try:
            for packet in video.packets():
                if packet.is_keyframe and (stamp := _stamp(packet)) is not None:
                    self._key_stamps.append(stamp)
                if not packet.size:  # The end: what is left in the decoder comes out.
                    yield from video.decode(packet)
                    continue
                for each in thrift.admit(_arrival(packet, codec)):
                    yield from video.decode(each, alone=thrift.alone)
        finally:
            thrift.close()

    def _pictures(self, video: Video, thrift: Thrift[Packet[Stream]]) -> Iterator[VideoFrame]:
        """The decoded pictures from the first keyframe on: what comes before refers to pictures that were never received.

        What follows a damaged one refers to that, and would be smeared: of a live source it is left out in the same way.
        """
        waited: int | None = 0
        with closing(self._decoded(video, thrift)) as pictures:
            for picture in pictures:
                if self._damaged and video.live:
                    self._damaged, waited = False, waited or 0
                if waited is not None and not self._is_key(picture) and waited < KEYFRAME_PATIENCE:
                    waited += 1
                    self._options.on_drop("before_keyframe")
                    continue
                waited = None
                yield picture
        if waited is not None and not video.live and not self._options.cancelled():
            raise video.no_picture()

    def _drop(self, reason: str) -> None:
        """Take note of a picture that was lost on the way out of the decoder."""
        self._damaged = self._damaged or reason == "corrupt"
        self._options.on_drop(reason)

    def _is_key(self, picture: VideoFrame) -> bool:
        """Whether a picture refers to no other. Some decoders never say so, as QuickTime Animation's; the container does."""
        return bool(picture.key_frame) or _stamp(picture) in self._key_stamps

    def _rgb(self, picture: VideoFrame, width: int | None, height: int | None) -> VideoFrame:
        """The picture's samples as RGB. CodecUnsupported where swscale does not know their form."""
        to_rgb = partial(
            self._reformatter.reformat, picture, width, height, format="rgb24", threads=1
        )
        try:
            return to_rgb()
        except av.FFmpegError:
            # Damaged or not, a file may name a matrix of colours that nobody has: then it is as if it named none.
            picture.colorspace = UNSPECIFIED
        try:
            return to_rgb()
        except av.FFmpegError as error:
            raise CodecUnsupported(
                f"{self._address.shown}: pictures of the form {picture.format.name} cannot be shown here; convert it to H.264"
            ) from error

    def _convert(self, picture: VideoFrame) -> npt.NDArray[np.uint8]:
        """Upright RGB pixels, (height, width, 3), scaled by swscale in the same pass."""
        turns = round(picture.rotation / 90) % 4
        size = self._options.size or (None, None)
        width, height = size if turns % 2 == 0 else size[::-1]
        rgb = self._rgb(picture, width, height)
        image: npt.NDArray[np.uint8] = rgb.to_ndarray().astype(np.uint8, copy=False)
        # libav pads rows, and turning only changes strides; everyone after this may rely on plain rows.
        return np.ascontiguousarray(np.rot90(image, turns))


def _arrival(packet: Packet[Stream], codec: str) -> Arrival[Packet[Stream]]:
    pts, base = packet.pts, packet.time_base
    return Arrival(
        packet,
        kind_of(codec, memoryview(packet), marked_key=packet.is_keyframe),
        keyframe=packet.is_keyframe,
        stamp_s=None if pts is None or base is None else float(pts * base),
        size=packet.size,
    )


def _stamp(timed: Packet[Stream] | VideoFrame) -> int | None:
    """What a packet and its picture have in common."""
    return timed.dts if timed.pts is None else timed.pts


def _decoded_s(picture: VideoFrame) -> float | None:
    """When the picture was to be decoded, in seconds, where the container says."""
    if picture.dts is None or picture.time_base is None:
        return None
    return float(picture.dts * picture.time_base)
