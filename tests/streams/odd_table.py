"""The table of odd files: how each is made, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.streams.odd_files import (
    ENCRYPTED,
    PNG,
    Recipe,
    cut,
    encode,
    encrypted_webm,
    flv_claim,
    gif_claim,
    jpeg_claim,
    mad_colours,
    png_claim,
    song,
    sound,
    subtitles,
    two_videos,
)

CORRUPT, NO_VIDEO, UNSUPPORTED = "STREAM_CORRUPT", "STREAM_NO_VIDEO", "STREAM_CODEC_UNSUPPORTED"
Make = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class Odd:
    """How a file is made, and the code that it is refused with, saying so, or how many pictures are read at least."""

    make: Make
    outcome: str | int
    says: str = ""


def coded(outcome: int = 12, **recipe: object) -> Odd:
    """A whole file."""
    return Odd(lambda path: encode(path, Recipe(**recipe)), outcome)  # type: ignore[arg-type]


def part(share: float, outcome: str | int, says: str = "", **recipe: object) -> Odd:
    """A file that was cut."""
    whole = Recipe(count=100, **recipe)  # type: ignore[arg-type]
    return Odd(lambda path: cut(encode(path, whole), share), outcome, says)


FASTSTART = {"movflags": "faststart"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
INTERLACED = {"flags": "+ildct+ilme"}
RNG = np.random.default_rng(5)

ODD: Mapping[str, Odd] = {
    # Cut off, or no video at all.
    "index_lost.mp4": part(0.4, CORRUPT, "damaged or no video"),
    "head_alone.mp4": part(0.02, CORRUPT, "recorded to the end", muxing=FASTSTART),
    "in_its_data.mp4": part(0.7, 40, muxing=FASTSTART),
    "fragments.mp4": part(0.7, 40, muxing=FRAGMENTS),
    "cut.mkv": part(0.7, 50),
    "cut.ts": part(0.7, 50),
    "cut.flv": part(0.7, 50),
    "cut.webm": part(0.7, 50, codec="libvpx"),
    "cut.avi": part(0.8, 50, codec="mpeg4"),
    "garbage.mp4": Odd(lambda path: path.write_bytes(RNG.bytes(1 << 18)), CORRUPT, "damaged"),
    "garbage.ts": Odd(lambda path: path.write_bytes(RNG.bytes(1 << 18)), CORRUPT, "damaged"),
    "empty.mp4": Odd(lambda path: path.write_bytes(b""), NO_VIDEO, "is empty"),
    "zeros.mpg": Odd(lambda path: path.write_bytes(bytes(1 << 18)), CORRUPT, "damaged"),
    "text.mp4": Odd(lambda path: path.write_text("hello\n" * 100), CORRUPT, "damaged"),
    "sound.wav": Odd(sound, NO_VIDEO, "only audio"),
    "sound.mp4": Odd(sound, NO_VIDEO, "only audio"),
    "song.mp3": Odd(song, NO_VIDEO, "only a still picture and audio"),
    "words.srt": Odd(subtitles, NO_VIDEO, "only subtitle"),
    # Encrypted: decoders make nothing of it, or garbage.
    "encrypted.mp4": Odd(
        lambda path: encode(path, Recipe(muxing=ENCRYPTED)), UNSUPPORTED, "encrypted"
    ),
    "encrypted_av1.mp4": Odd(
        lambda path: encode(path, Recipe(codec="libsvtav1", muxing=ENCRYPTED)),
        UNSUPPORTED,
        "encrypted",
    ),
    "encrypted.webm": Odd(encrypted_webm, UNSUPPORTED, "encrypted"),
    # Samples of all kinds.
    "mad_colours.mov": Odd(mad_colours, 12),
    "ten_bits.mp4": coded(pixels="yuv420p10le"),
    "ten_bits.mkv": coded(codec="ffv1", pixels="yuv420p10le"),
    "half_chroma.mp4": coded(pixels="yuv422p"),
    "full_chroma.mp4": coded(pixels="yuv444p"),
    "gray.mp4": coded(pixels="gray"),
    "gray16.mkv": coded(codec="ffv1", pixels="gray16le"),
    "alpha.webm": coded(codec="libvpx-vp9", pixels="yuva420p"),
    "alpha.mov": coded(codec="prores_ks", pixels="yuva444p10le"),
    "alpha_png.mov": coded(codec="png", pixels="rgba"),
    "no_key_flags.mov": coded(codec="qtrle", pixels="argb"),
    "no_key_flags.avi": coded(codec="msvideo1", pixels="rgb555le"),
    "bits.mov": coded(codec="png", pixels="monob"),
    "animated.gif": coded(codec="gif", pixels="rgb8"),
    "animated.apng": coded(codec="apng", pixels="rgba"),
    "interlaced.mpg": coded(codec="mpeg2video", options=INTERLACED),
    "interlaced.mp4": coded(options=INTERLACED | {"x264-params": "interlaced=1"}),
    # Few, small, and many.
    "one.mp4": coded(1, count=1),
    "still.png": Odd(lambda path: encode(path, PNG), 1),
    "percent%03d.png": Odd(lambda path: encode(path.with_name("plain.png"), PNG).rename(path), 1),
    "odd_size.mp4": coded(size=(127, 95), pixels="yuv444p"),
    "tall.mkv": coded(codec="ffv1", size=(16, 2000)),
    "long_gop.mp4": coded(250, count=250, keyframe_every=10_000),
    "two_videos.mkv": Odd(two_videos, 12),
    # Larger than anything has a right to be.
    "claims.png": Odd(png_claim, CORRUPT, "8192x4320"),
    "claims.jpg": Odd(
        lambda path: jpeg_claim(
            path, Recipe(codec="mjpeg", pixels="yuvj420p", count=1, muxer="image2pipe")
        ),
        CORRUPT,
        "8192x4320",
    ),
    "claims.avi": Odd(
        lambda path: jpeg_claim(path, Recipe(codec="mjpeg", pixels="yuvj420p")),
        CORRUPT,
        "8192x4320",
    ),
    "claims.gif": Odd(gif_claim, CORRUPT, "8192x4320"),
    "claims.flv": Odd(flv_claim, UNSUPPORTED, "16000x16000 .* at most 8192x4320"),
}
