"""Vision: pictures through the model's tower, of any streams together; FrameEncoder makes one stream's FrameTokens of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livevlm.backbone import Backbone
from livevlm.reducer import TokenReducer
from livevlm.tokens import FrameTokens
from streams import Frame
from streams.opencv import cv2

JPEG_QUALITY = 80


class FrameEncoder:
    """Encodes a stream's frames in batches and numbers them."""

    def __init__(self, backbone: Backbone, reducer: TokenReducer, first_number: int = 0) -> None:
        """first_number: of the next frame; others were numbered in an earlier life."""
        self._backbone, self._reducer = backbone, reducer
        self._encoded = first_number

    def encode(self, frames: Sequence[Frame]) -> list[FrameTokens]:
        """The frames' tokens, in order."""
        return self.reduced(frames, look(self._backbone, frames))

    @torch.inference_mode()
    def reduced(self, frames: Sequence[Frame], grids: Tensor) -> list[FrameTokens]:
        """The tokens of frames that the tower has seen, in order; `grids` (B, rows, columns, hidden) is what it saw."""
        tokens = []
        for frame, grid in zip(frames, grids, strict=True):
            tokens.append(
                FrameTokens(
                    self._encoded, frame.pts_s, frame.captured_utc, self._reducer.reduce(grid)
                )
            )
            self._encoded += 1
        return tokens


@torch.inference_mode()
def look(backbone: Backbone, frames: Sequence[Frame]) -> Tensor:
    """Frames through the tower in one batch -> (B, rows, columns, hidden); it does not care which stream one is from."""
    return backbone.encode(np.stack([fit(frame.image, backbone.frame_size) for frame in frames]))


def fit(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The picture at the model's (width, height). A stream's source has scaled it already;
    this is for pictures from elsewhere.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    shrinks = width > size[0] or height > size[1]
    return cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    ).astype(np.uint8)


def jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    """A picture (height, width, 3) RGB as a JPEG."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert done, image.shape
    return data.tobytes()
