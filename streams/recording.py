"""Recording: RGB pictures written to an MP4 file, H.264 where libav can encode it, else MPEG-4 part 2."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


class Recording:
    """A context manager that writes an MP4 of one size, (width, height) in pixels, both even, at `fps` pictures a second.

    Entering raises OSError where the file cannot be made. Leaving finishes the file, also after an error.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        size: tuple[int, int],
        fps: float,
        *,
        keyframe_every: int = 50,
    ) -> None:
        if min(size) < 2 or size[0] % 2 or size[1] % 2:
            raise ValueError(
                f"a recording's width and height must be even, not {size[0]}x{size[1]}"
            )
        if not 0 < fps <= 1000:
            raise ValueError(f"a recording's fps must be above 0 and at most 1000, not {fps}")
        self._path = str(path)
        self._size = size
        self._rate = Fraction(fps).limit_denominator(1001)
        self._keyframe_every = keyframe_every
        self._written = 0

    def __enter__(self) -> Self:
        with open(self._path, "wb"):
            pass  # Python's error names the path, libav's does not.
        self._container = av.open(self._path, "w", format="mp4")
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = self._container.add_stream(codec, self._rate)
        assert isinstance(stream, VideoStream), codec
        self._stream = stream
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = self._keyframe_every
        self._stream.codec_context.time_base = 1 / self._rate
        self._container.start_encoding()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def write(self, image: npt.NDArray[np.uint8]) -> None:
        """Append a picture, RGB (height, width, 3) uint8 of the recording's size."""
        expected = (self._size[1], self._size[0], 3)
        if image.shape != expected or image.dtype != np.uint8:
            raise ValueError(f"a picture must be {expected} uint8, not {image.shape} {image.dtype}")
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture.pts = self._written
        picture.time_base = 1 / self._rate
        self._container.mux(self._stream.encode(picture))
        self._written += 1
