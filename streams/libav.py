"""libav: the one way into PyAV for reading. Opens containers, walks their packets, and explains what goes wrong."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streams.address import Address
from streams.errors import CodecUnsupported, NoVideo, StreamError
from streams.explain import explain
from streams.source import SourceOptions

# A demuxer that fails this often without a packet in between is not going to find its way again.
DEMUX_ERRORS = 100
MICROSECONDS = 1_000_000
# By default libav watches for seconds to measure a frame rate: it took 5.8 s to open a camera of 5 fps.
AT_ONCE = {"analyzeduration": "100000", "fpsprobesize": "0"}
# Pictures a second that are grabbed where none are asked for: a whole screen is dear, a webcam knows its own rate.
GRAB_FPS = {"screen": "10", "webcam": ""}


class Video:
    """The video stream of an opened address. A context manager; `packets` and `decode` raise StreamError."""

    def __init__(self, address: Address, options: SourceOptions) -> None:
        self._address = address
        self._options = options
        self._last_error: Exception | None = None
        self._container = _open(address, options)
        try:
            self.stream = _pick_video(self._container, address)
        except StreamError:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._container.close()

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
                        yield packet
                return
            except av.error.InvalidDataError as error:
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
        patience_s = self._options.read_timeout_s if self._address.kind == "network" else math.inf
        while True:
            asked_s = time.monotonic()
            try:
                packet = next(packets, None)
            except IndexError:
                return  # PyAV, at the end of a file in which another stream turned up on the way.
            if packet is None or (live and not packet.size):
                return  # What a lost camera left in the decoder is old by now.
            if live and time.monotonic() - asked_s >= patience_s:
                # When the time is up libav first gives what it held back, and only then, after as long again, an error.
                raise TimeoutError(f"nothing came for {patience_s:g} s")
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
        if self._last_error is not None:
            return self._explain(self._last_error)
        hint = "check that it was recorded to the end"
        return NoVideo(f"{self._address.shown} holds no whole picture; {hint}")

    def _explain(self, error: Exception) -> StreamError:
        return explain(error, self._address, self._options, opening=False)

    def _lost(self, error: Exception) -> None:
        self._last_error = error
        self._options.on_drop("corrupt")


def _open(address: Address, options: SourceOptions) -> InputContainer:
    began = time.monotonic()
    local = address.kind in ("file", "screen", "webcam")
    try:
        return av.open(
            address.target,
            format={"webcam": "v4l2", "screen": "x11grab"}.get(address.kind),
            options=_container_options(address, options),
            metadata_errors="replace",
            timeout=None if local else (options.open_timeout_s, options.read_timeout_s),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        took_s = time.monotonic() - began
        raise explain(error, address, options, opening=True, took_s=took_s) from error


def _container_options(address: Address, options: SourceOptions) -> dict[str, str]:
    if address.kind in ("webcam", "screen"):
        asked = {"framerate": address.parameters.get("fps", GRAB_FPS[address.kind])}
        asked["video_size"] = address.parameters.get("size", "")
        return {name: value for name, value in asked.items() if value} | AT_ONCE
    if address.kind != "network":
        return {}
    patience = str(round(options.read_timeout_s * MICROSECONDS))
    if address.scheme in ("rtsp", "rtsps"):
        return {
            "rtsp_transport": options.rtsp_transport,
            "allowed_media_types": "video",
            "timeout": patience,
            **AT_ONCE,
        }
    if address.scheme in ("http", "https") and not address.live:
        return {"rw_timeout": patience, "reconnect": "1", "reconnect_on_network_error": "1"}
    return {"rw_timeout": patience, "fpsprobesize": "0"}


def _pick_video(container: InputContainer, address: Address) -> VideoStream:
    """The best moving picture; a song's cover is none."""
    covers = Disposition.attached_pic
    candidates = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not candidates:
        kinds: set[str] = {stream.type for stream in container.streams if stream.type != "video"}
        others = " and ".join(sorted(kinds)) or "a still picture"
        raise NoVideo(f"{address.shown} holds no video, only {others}; give another source")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in candidates else candidates[0]
    if stream.codec_context is None:
        raise CodecUnsupported(
            f"{address.shown}: there is no decoder for its video; send it as H.264"
        )
    _set_threads(stream, address)
    return stream


def _set_threads(stream: VideoStream, address: Address) -> None:
    """A recording may be decoded ahead on several cores; a live picture must come out at once, and cameras may be many."""
    if address.live:
        stream.codec_context.thread_count = 1
    else:
        stream.codec_context.thread_count = min(4, os.cpu_count() or 1)
        stream.thread_type = "AUTO"
