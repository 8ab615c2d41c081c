"""Bounds: how large a picture may be, so that no source, damaged or made to harm, can take the machine's memory.

libav trusts what is written: sixty bytes that claim a PNG of 16000x16000 pixels made it fill 1.5 GB, for two minutes.
"""

from __future__ import annotations

from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streams.errors import CodecUnsupported, SourceCorrupt

# 8K, with the width of cinemas: libav makes no larger picture.
MAX_WIDTH, MAX_HEIGHT = 8192, 4320
MAX_PIXELS = MAX_WIDTH * MAX_HEIGHT
# 8K with 8 bits a sample, 4K with anything. A decoder holds up to some twenty pictures, 16 of them because the video says so.
MAX_PICTURE_BYTES = 64 * 2**20
# For libav's own decoders, those included that it looks at a file with when it is opened.
DECODER_OPTIONS = {"max_pixels": str(MAX_PIXELS)}
# No pixel format takes more.
_LONGEST_PIXEL_BYTES = 16


def bound(stream: VideoStream, shown: str) -> None:
    """Hold the stream's decoder to the bounds. CodecUnsupported where the container claims larger pictures."""
    stream.codec_context.options = DECODER_OPTIONS
    check_size(stream.codec_context, shown)


def check_size(context: VideoCodecContext, shown: str) -> None:
    """CodecUnsupported where the decoder's pictures are larger than what is allowed; it may learn that on the way."""
    pixels = context.width * context.height
    if pixels * _LONGEST_PIXEL_BYTES <= MAX_PICTURE_BYTES:
        return
    pixel = context.format
    bits = 0 if pixel is None else pixel.padded_bits_per_pixel
    if pixels > MAX_PIXELS or pixels * bits > 8 * MAX_PICTURE_BYTES:
        raise CodecUnsupported(
            f"{shown}: a picture of {context.width}x{context.height} with {bits or 'unknown'} bits a pixel is too large; "
            f"{_allowed()}; scale it down"
        )


def sizeless(shown: str) -> SourceCorrupt:
    """What to raise where libav made no picture and knows no size: it forgets one that it refuses."""
    return SourceCorrupt(f"{shown}: its pictures are damaged, or too large: {_allowed()}")


def _allowed() -> str:
    most = f"{MAX_WIDTH}x{MAX_HEIGHT} pixels and {MAX_PICTURE_BYTES // 2**20} MiB"
    return f"at most {most} are decoded"
