"""NAL: what a packet's first slice says about it, without decoding anything."""

from __future__ import annotations

from typing import Literal

# "key": nothing behind it needs anything before it. "spare": nothing needs it. "plain": all else, and what is not understood.
Kind = Literal["key", "plain", "spare"]
# What stands in front of a picture's first slice, parameter sets and messages, is shorter than this.
HEADERS_BYTES = 4096
START = b"\0\0\1"
H264_SLICES, H264_IDR = range(1, 6), 5
# Pictures may come behind a CRA picture that need what was before it: that is no clean start.
HEVC_SLICES, HEVC_CLEAN = range(32), range(16, 21)
# Codecs whose packets say for themselves whether they stand alone.
MARKED = ("mjpeg", "vp8", "vp9")
KNOWN = ("h264", "hevc", *MARKED)


def kind_of(codec: str, data: bytes | memoryview, *, marked_key: bool) -> Kind:
    """What a packet is. codec: as libav names it; marked_key: whether the container calls the packet a keyframe."""
    if codec in MARKED:
        return "key" if marked_key else "plain"
    for header in _headers(data):
        if codec == "h264" and header & 31 in H264_SLICES:
            if header & 31 == H264_IDR:
                return "key"
            return "plain" if header & 0x60 else "spare"
        if codec == "hevc" and header >> 1 & 63 in HEVC_SLICES:
            return "key" if header >> 1 & 63 in HEVC_CLEAN else "plain"
    return "plain"


def _headers(data: bytes | memoryview) -> list[int]:
    """The first byte of each of the first NAL units, whether they stand behind start codes or behind lengths of four bytes."""
    front = bytes(data[:HEADERS_BYTES])
    if front.startswith((START, b"\0" + START)):
        return [part[0] for part in front.split(START)[1:] if part]
    headers, at = [], 0
    while at + 4 < len(data):
        headers.append(data[at + 4])
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    # Lengths of another size lead elsewhere than to the end: then these bytes are no headers.
    return headers if at == len(data) else []
