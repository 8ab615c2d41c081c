"""libav: the one way into PyAV for reading. Opens containers, walks their packets, and explains what goes wrong."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import av
import av.error
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from streams.address import Address
from streams.bounds import check_size, sizeless
from streams.errors import NoVideo, StreamError
from streams.explain import explain
from streams.opening import MICROSECONDS, open_container
from streams.patience import patience_s
from streams.picking import encrypted, is_encrypted, pick_video
from streams.source import SourceOptions
from streams.tape import Tape, open_recording

# A demuxer that fails this often without a packet in between is not going to find its way again.
DEMUX_ERRORS = 100
# libav's AVFMT_TS_DISCONT: of such a container stamps may begin anew on the way, so that one stands for several places.
TS_DISCONT = 0x0200


class Video:
    """The video stream of an opened address. A context manager; `packets` and `decode` raise StreamError."""

    def __init__(self, address: Address, options: SourceOptions) -> None:
        self._address = address
        self._options = options
        self._last_error: Exception | None = None
        self._tape: Tape | None = None
        if address.kind == "file":
            self._container, self._tape = open_recording(address, options)
        else:
            self._container = open_container(address, options)
        try:
            self.stream = pick_video(self._container, address)
        except StreamError:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._container.close()
        if self._tape is not None:
            self._tape.close()

    @property
    def format(self) -> str:
        """The container's format, as libav names it."""
        return str(self._container.format.name)

    @property
    def live(self) -> bool:
        """Whether pictures come when they happen. Over HTTP only the opened container tells: a recording has a length."""
        finite = self._address.scheme in ("http", "https") and bool(self._container.duration)
        return self._address.live and not finite

    @property
    def duration_s(self) -> float | None:
        """The length that the container claims, in seconds."""
        length = self._container.duration
        return None if length is None or length <= 0 else length / MICROSECONDS

    @property
    def fps_claimed(self) -> float | None:
        """Pictures a second as the container claims, None where it claims nothing sensible."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(rate) if rate and 0.01 <= rate <= 480 else None

    def seek(self, stamp_s: float) -> bool:
        """Go to the last keyframe at or before a stamp. False where that cannot be relied on: it is to be opened anew then."""
        base = self.stream.time_base
        if self._container.format.flags & TS_DISCONT or not base:
            return False
        try:
            self._container.seek(math.floor(stamp_s / base), stream=self.stream)
        except (av.FFmpegError, OSError):
            return False
        return self._tape is None or not self._tape.exhausted

    def packets(self) -> Iterator[Packet[Stream]]:
        """The video's packets until the end or until `cancelled`; a recording's last one, empty, flushes the decoder."""
        failures = 0
        while failures < DEMUX_ERRORS:
            try:
                for packet in self._demux():
                    if self._options.cancelled():
                        return
                    failures = 0
                    if packet.stream.index == self.stream.index:
                        if is_encrypted(packet):
                            raise encrypted(self._address)
                        yield packet
                if self._tape is not None and self._tape.exhausted:
                    raise self._tape.lost(self._address.shown)
                return
            except (av.error.InvalidDataError, av.error.BlockingIOError) as error:
                failures += 1
                self._lost(error)
            except (av.FFmpegError, OSError, UnicodeDecodeError) as error:
                if self._address.kind == "file" and getattr(error, "errno", None) == errno.EIO:
                    self._lost(error)
                    return  # A recording that was cut off, or is still being written.
                raise self._explain(error) from error
        assert self._last_error is not None, "a demuxer failed without an error"
        raise self._explain(self._last_error) from self._last_error

    def _demux(self) -> Iterator[Packet[Stream]]:
        """All streams' packets, so that also while only sound comes somebody looks whether to go on."""
        packets, live = self._container.demux(), self.live
        wait_s = math.inf
        if self._address.kind == "network":
            wait_s = patience_s(self._address, self._options)
        while True:
            asked_s = time.monotonic()
            try:
                packet = next(packets, None)
            except IndexError:
                return  # PyAV, at the end of a file in which another stream turned up on the way.
            if packet is None or (live and not packet.size):
                return  # What a lost camera left in the decoder is old by now.
            if live and time.monotonic() - asked_s >= wait_s:
                # When the time is up libav first gives what it held back, and only then, after as long again, an error.
                raise TimeoutError(f"nothing came for {wait_s:g} s")
            if self._tape is not None:
                self._tape.led_to_packet()
            yield packet

    def decode(self, packet: Packet[Stream], *, alone: bool = False) -> list[VideoFrame]:
        """The whole pictures that come out of a packet; damaged ones are counted and left out.

        alone: nothing that refers to the packet's picture is decoded after it, so it comes out now, whatever the order.
        """
        try:
            pictures = [picture for picture in packet.decode() if isinstance(picture, VideoFrame)]
            if alone:
                pictures += self._drain(packet)
        except (av.FFmpegError, ValueError) as error:
            self._lost(error)
            return []
        check_size(self.stream.codec_context, self._address.shown)
        whole = [picture for picture in pictures if not picture.is_corrupt]
        for _ in range(len(pictures) - len(whole)):
            self._options.on_drop("corrupt")
        return whole

    def _drain(self, packet: Packet[Stream]) -> list[VideoFrame]:
        """What the decoder still holds back of a packet; it begins anew after this."""
        codec = self.stream.codec_context
        pictures = codec.decode(None)
        codec.flush_buffers()
        for picture in pictures:  # Without the packet PyAV does not know what their stamps count.
            if packet.time_base is not None:
                picture.time_base = packet.time_base
        return pictures

    def no_picture(self) -> StreamError:
        """What to raise at the end of a recording in which there was no picture to be had."""
        codec = self.stream.codec_context
        if self._last_error is not None and not codec.width * codec.height:
            return sizeless(self._address.shown)
        if self._last_error is not None:
            return self._explain(self._last_error)
        hint = "check that it was recorded to the end"
        return NoVideo(f"{self._address.shown} holds no whole picture; {hint}")

    def _explain(self, error: Exception) -> StreamError:
        return explain(error, self._address, self._options, opening=False)

    def _lost(self, error: Exception) -> None:
        self._last_error = error
        self._options.on_drop("corrupt")
