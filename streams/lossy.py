"""Lossy: pictures as they come out of a real codec, with its blocks, smears and lost detail."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

Image = npt.NDArray[np.uint8]
# How each codec is told how much it may lose: from little to much.
CODECS = {"libx264": ("crf", 20, 38), "mpeg4": ("qmin", 3, 16), "mjpeg": ("qmin", 3, 20)}


def through_codec(images: Sequence[Image], codec: str, loss: float, fps: int = 1) -> list[Image]:
    """RGB pictures of one even size -> the same ones encoded as a clip and decoded again. loss: 0 is little, 1 is much."""
    height, width = images[0].shape[:2]
    assert width % 2 == 0 and height % 2 == 0, (width, height)
    key, low, high = CODECS[codec]
    level = str(round(low + loss * (high - low)))
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.framerate = width, height, Fraction(fps)
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.thread_count = 1
    if key == "qmin":
        encoder.options = {"qmin": level, "qmax": level}
    else:
        encoder.options = {key: level, "preset": "ultrafast"}
    encoder.open()
    decoder = av.CodecContext.create(
        encoder.codec.name if codec == "mjpeg" else _decoder(codec), "r"
    )
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    pictures = []
    frames = [av.VideoFrame.from_ndarray(image, format="rgb24") for image in images]
    for number, frame in enumerate(frames):
        frame.pts = number
    for source in (*frames, None):
        for packet in encoder.encode(source):
            pictures += decoder.decode(packet)
    pictures += decoder.decode(None)
    # One thread: for small pictures starting the others takes longer than the work.
    reformat = VideoReformatter().reformat
    decoded = [reformat(picture, format="rgb24", threads=1).to_ndarray() for picture in pictures]
    assert len(decoded) == len(images), (len(decoded), len(images))
    return decoded  # type: ignore[return-value]


def _decoder(codec: str) -> str:
    return "h264" if codec == "libx264" else codec
