"""Still: one encoded picture, a JPEG or PNG or the like, into pixels."""

from __future__ import annotations

import io

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from streams.errors import SourceCorrupt
from streams.orientation import SIDEWAYS, orientation, upright

# A picture of more pixels is not decoded: it would take gigabytes.
MAX_PIXELS = 2**26
_BOUNDED = {"max_pixels": str(MAX_PIXELS)}
# A JPEG's damage is an error, not a grey stripe that would be remembered. The other decoders are strict by themselves, and
# TIFF's, if told to be, refuses whole pictures.
_STRICT = {"err_detect": "explode"}
_JPEG = b"\xff\xd8"


class Still:
    """A decoded picture, not yet RGB."""

    def __init__(self, data: bytes) -> None:
        """SourceCorrupt, without the picture's name, where it is damaged, none, or too large."""
        self._how = orientation(data)
        try:
            self._picture = _decode(data)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceCorrupt("damaged, no picture, or too large") from error

    def pixels(
        self, reformatter: VideoReformatter, size: tuple[int, int] | None
    ) -> npt.NDArray[np.uint8]:
        """Upright RGB, (height, width, 3); `size`: (width, height) it is scaled to, None for its own."""
        width, height = size or (None, None)
        if self._how in SIDEWAYS:
            width, height = height, width
        rgb = reformatter.reformat(self._picture, width, height, format="rgb24", threads=1)
        return upright(rgb.to_ndarray().astype(np.uint8, copy=False), self._how)


def _decode(data: bytes) -> VideoFrame:
    """The first picture; ValueError where there is none."""
    with av.open(io.BytesIO(data), "r", options=_BOUNDED, metadata_errors="replace") as container:
        if not container.streams.video:
            raise ValueError("no picture")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = _BOUNDED | (_STRICT if data.startswith(_JPEG) else {})
        for picture in container.decode(stream):
            return picture
    raise ValueError("no picture")
