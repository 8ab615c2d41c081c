"""Picking: which of a container's streams is the video, and whether it can be decoded here."""

from __future__ import annotations

import os

from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from streams.address import Address
from streams.bounds import bound
from streams.errors import CodecUnsupported, NoVideo, SourceCorrupt


def pick_video(container: InputContainer, address: Address) -> VideoStream:
    """The best moving picture; a song's cover is none. StreamError where there is none, or it cannot be decoded."""
    covers = Disposition.attached_pic
    candidates = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not candidates:
        raise _no_video(container, address)
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in candidates else candidates[0]
    if "enc_key_id" in stream.metadata:  # Matroska's and WebM's way to say it.
        raise encrypted(address)
    if stream.codec_context is None:
        raise CodecUnsupported(
            f"{address.shown}: there is no decoder for its video; send it as H.264"
        )
    bound(stream, address.shown)
    _set_threads(stream, address)
    return stream


def is_encrypted(packet: Packet[Stream]) -> bool:
    """Whether a packet came encrypted out of an MP4: its decoder might make garbage of it without a complaint."""
    return packet.has_sidedata("encryption_info")


def encrypted(address: Address) -> CodecUnsupported:
    """What to raise where the video is encrypted."""
    return CodecUnsupported(
        f"{address.shown}: its video is encrypted; give one that is not protected against copying"
    )


def _no_video(container: InputContainer, address: Address) -> NoVideo | SourceCorrupt:
    shown = address.shown
    if not len(container.streams) and address.kind == "file":
        hint = "check that it was recorded to the end, and plays elsewhere"
        return SourceCorrupt(f"{shown} holds nothing that can be read; {hint}")
    if not len(container.streams):
        return NoVideo(f"{shown} holds no video; give another source")
    kinds = {"a still picture" if one.type == "video" else one.type for one in container.streams}
    others = " and ".join(sorted(kinds))
    return NoVideo(f"{shown} holds no video, only {others}; give another source")


def _set_threads(stream: VideoStream, address: Address) -> None:
    """A recording may be decoded ahead on several cores; a live picture must come out at once, and cameras may be many."""
    if address.live:
        stream.codec_context.thread_count = 1
    else:
        stream.codec_context.thread_count = min(4, os.cpu_count() or 1)
        stream.thread_type = "AUTO"
