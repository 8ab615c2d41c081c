"""Odd files made on the spot: whole ones of many kinds, and what can be done to them."""

from __future__ import annotations

import struct
import wave
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tests.streams.pictures import FPS, SIZE, many

KEY = "00112233445566778899aabbccddeeff"
ENCRYPTED = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": KEY, "encryption_kid": KEY}
# What a header claims where it claims too much: 256 million pixels.
HUGE = 16000
AT_ONCE = {"tune": "zerolatency"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a video is encoded. stamps_ms: presentation stamps in milliseconds, None for FPS pictures a second."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    count: int = 12
    keyframe_every: int = 10
    options: Mapping[str, str] = field(default_factory=dict)
    muxer: str | None = None
    muxing: Mapping[str, str] = field(default_factory=dict)
    stamps_ms: Sequence[int] | None = None


def encode(path: Path, recipe: Recipe) -> Path:
    """A file of numbered pictures."""
    with av.open(str(path), "w", format=recipe.muxer, options=dict(recipe.muxing)) as out:
        stream = out.add_stream(recipe.codec, FPS, options=dict(recipe.options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = recipe.size
        stream.pix_fmt = recipe.pixels
        stream.codec_context.gop_size = recipe.keyframe_every
        if recipe.stamps_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for picture in _pictures(recipe):
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def _pictures(recipe: Recipe) -> Iterator[VideoFrame]:
    stamps = recipe.stamps_ms or range(recipe.count)
    base = Fraction(1, FPS) if recipe.stamps_ms is None else Fraction(1, 1000)
    for image, stamp in zip(many(len(stamps)), stamps, strict=True):
        picture = VideoFrame.from_ndarray(image, format="rgb24").reformat(*recipe.size)
        picture.pts, picture.time_base = stamp, base
        yield picture


def cut(path: Path, share: float) -> Path:
    """Only so much of the file is left."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def joined(path: Path, parts: Iterable[Path]) -> Path:
    """The parts one behind the other."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def turned(path: Path, quarters: int) -> Path:
    """An MP4 that says that it is to be turned clockwise so many times by 90 degrees."""
    encode(path, Recipe())
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters]
    matrix = (cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = b"".join((value & 0xFFFFFFFF).to_bytes(4, "big") for value in matrix)
    path.write_bytes(data)
    return path


def sound(path: Path) -> Path:
    """A second of silence: a WAV, or AAC in whatever the name asks for."""
    if path.suffix == ".wav":
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(8000)
            out.writeframes(bytes(16000))
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", 8000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=8000)
        frame.sample_rate = 8000
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def song(path: Path) -> Path:
    """An MP3 with a cover and no video: an ID3 tag with a picture, then frames of silence."""
    cover = encode(path.with_suffix(".png"), PNG).read_bytes()
    picture = b"\0image/png\0\3\0" + cover
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    silence = (b"\xff\xfb\x90\xc4" + bytes(413)) * 30
    path.write_bytes(b"ID3\3\0\0" + size + frame + silence)
    return path


def subtitles(path: Path) -> Path:
    """Words and no pictures."""
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n", encoding="utf-8")
    return path


def two_videos(path: Path) -> Path:
    """A small video beside the large one, and sound that begins before both."""
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("mpeg4", FPS) for _ in range(2)]
        for stream, size in zip(streams, ((64, 48), SIZE), strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for image in many(12):
            for stream in streams:
                picture = VideoFrame.from_ndarray(image, format="rgb24")
                out.mux(stream.encode(picture.reformat(stream.width, stream.height)))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


PNG = Recipe(codec="png", pixels="rgb24", count=1, muxer="image2pipe")


def png_claim(path: Path) -> Path:
    """Some sixty bytes of PNG that claim HUGE x HUGE pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    header = struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def jpeg_claim(path: Path, recipe: Recipe) -> Path:
    """JPEG pictures that claim HUGE x HUGE pixels, and so does the container's header."""
    small, large = struct.pack("<II", *SIZE), struct.pack("<II", HUGE, HUGE)
    data = bytearray(encode(path, recipe).read_bytes().replace(small, large))
    place = -1
    while (place := data.find(b"\xff\xc0", place + 1)) >= 0:
        data[place + 5 : place + 9] = struct.pack(">HH", HUGE, HUGE)
    path.write_bytes(data)
    return path


def gif_claim(path: Path) -> Path:
    """A GIF whose canvas is HUGE."""
    data = bytearray(encode(path, Recipe(codec="gif", pixels="rgb8")).read_bytes())
    data[6:10] = struct.pack("<HH", HUGE, HUGE)
    path.write_bytes(data)
    return path


def flv_claim(path: Path) -> Path:
    """A Flash video whose pictures say that they are HUGE, in a container that names no size beforehand."""
    width, height = size = (400, 300)
    data = encode(path, Recipe(codec="flv", size=size, keyframe_every=1)).read_bytes()
    # A picture's head: 17 bits of start code, 5 of version, 8 of number, 3 that say "16 bits each", width, height, 7 more.
    said, says = (((1 << 32) | (w << 16) | h) << 7 for w, h in (size, (HUGE, HUGE)))
    heads = [
        place
        for place in range(len(data) - 9)
        if data[place : place + 2] == b"\0\0" and _bits(data, place) & (0x7FFFFFFFF << 7) == said
    ]
    assert heads, f"no picture's head with {width}x{height} was found"
    changed = bytearray(data)
    for place in heads:
        changed[place : place + 9] = (_bits(data, place) + says - said).to_bytes(9, "big")
    path.write_bytes(changed)
    return path


def _bits(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 9], "big")


def mad_colours(path: Path) -> Path:
    """ProRes whose pictures name a matrix of colours that nobody has."""
    data = bytearray(encode(path, Recipe(codec="prores_ks", pixels="yuv422p10le")).read_bytes())
    place = -1
    while (place := data.find(b"icpf", place + 1)) >= 0:
        data[place + 4 + 16] = 255
    path.write_bytes(data)
    return path


def encrypted_webm(path: Path) -> Path:
    """A WebM whose track says that it is encrypted, and with which key. Its sizes are left open, so that it may grow."""
    encode(path, Recipe(codec="libvpx", muxing={"live": "1"}))
    cipher = _element(0x47E1, b"\5") + _element(0x47E2, bytes.fromhex(KEY))
    coding = _element(0x5033, b"\1") + _element(0x5035, cipher)
    codings = _element(0x6D80, _element(0x6240, coding))
    data = path.read_bytes()
    tracks = data.rindex(b"\x16\x54\xae\x6b")  # The first one is in the table of contents.
    # Both sizes are rewritten in eight bytes: the list's, and that of its one entry.
    start = tracks + 4 + 8 if data[tracks + 4] == 1 else tracks + 4 + 1
    entry = data.index(b"\xae", start)
    length = 8 if data[entry + 1] == 1 else 1
    size = int.from_bytes(data[entry + 1 : entry + 1 + length], "big") & ((1 << (7 * length)) - 1)
    body = data[entry + 1 + length : entry + 1 + length + size]
    path.write_bytes(
        data[:tracks]
        + _element(0x1654AE6B, _element(0xAE, body + codings))
        + data[entry + 1 + length + size :]
    )
    return path


def _element(name: int, body: bytes) -> bytes:
    """An element of Matroska's, its size in eight bytes."""
    size = (1 << 56 | len(body)).to_bytes(8, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + size + body
