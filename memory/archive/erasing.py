"""Carrying over what stays of a segment, so that the rest can be erased with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from memory.archive.segment import Segment

# A record's tokens share a checksum: few enough that a flipped bit costs little, many enough that the log stays small.
_RECORD_TOKENS = 256


def carry_over(old: Segment, gone: npt.NDArray[np.bool_], new: Segment) -> None:
    """Append to a new segment what is not `gone` (T,) of an old one, with the pictures of the frames of which nothing is.

    Raises what Segment.append raises.
    """
    kept, erased = np.flatnonzero(~gone), set(old.tokens["frame"][gone].tolist())
    layers = np.arange(new.row_shape[0])[None]
    for start in range(0, len(kept), _RECORD_TOKENS):
        places = kept[start : start + _RECORD_TOKENS]
        tokens = old.tokens[places]
        frames = set(tokens["frame"].tolist()) - erased
        found = {frame: old.picture(frame) for frame in sorted(frames) if not new.shows(frame)}
        pictures = {frame: jpeg for frame, jpeg in found.items() if jpeg is not None}
        new.append(torch.from_numpy(old.take(layers, places[:, None])), tokens, pictures)
