"""Shown: the picture of a stream's newest frame, for those who look in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from livevlm.vision import jpeg


class Shown:
    """A frame's picture; made into a JPEG when somebody asks to see it, once."""

    def __init__(
        self, stream_s: float, image: npt.NDArray[np.uint8], picture: bytes | None
    ) -> None:
        """stream_s: the frame's stream time in seconds. image: (height, width, 3) RGB. picture: its JPEG, if it is made."""
        self.stream_s, self._image, self._picture = stream_s, image, picture

    def picture(self) -> bytes:
        """Its JPEG."""
        if self._picture is None:
            self._picture = jpeg(self._image)
        return self._picture
