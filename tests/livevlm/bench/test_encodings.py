"""A backbone that encodes every distinct picture once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livevlm.bench.encodings import BATCH, EncodedOnce
from livevlm.toy import ToyBackbone


class Counting(ToyBackbone):
    """Counts the pictures that its tower sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def encode(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """And encodes them."""
        self.seen += len(images)
        return super().encode(images)


def pictures(count: int, side: int = 64) -> npt.NDArray[np.uint8]:
    """Noise."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_a_picture_is_encoded_once_and_as_ever() -> None:
    """Shown before, twice at once or again later: its tokens are the inner backbone's, in the order of the pictures."""
    inner = Counting()
    once, some = EncodedOnce(inner), pictures(BATCH + 2)
    once.look(list(some))
    assert inner.seen == BATCH + 2
    order = [3, 0, 3, BATCH + 1]
    assert torch.equal(once.encode(some[order]), inner.encode(some[order]))
    before = inner.seen
    once.encode(some)
    assert inner.seen == before
    once.encode(np.stack([some[0], 255 - some[0], 255 - some[0]]))
    assert inner.seen == before + 1


def test_pictures_of_another_size_are_known_again_at_the_models() -> None:
    """They are looked at as they will be shown."""
    inner = Counting()
    once, big = EncodedOnce(inner), np.repeat(np.repeat(pictures(1, 32), 4, 1), 4, 2)
    once.look([big[0]])
    assert inner.seen == 1
    assert once.encode(pictures(1)).shape == (1, 8, 8, 48)
