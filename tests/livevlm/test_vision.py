"""From frames to tokens."""

from __future__ import annotations

import numpy as np
import torch

from livevlm.reducer import make_reducer
from livevlm.toy import ToyBackbone
from livevlm.vision import FrameEncoder, fit
from tests.livevlm.tiny import frames


def test_frames_are_numbered_on_across_calls() -> None:
    """Numbers are those of the stream, not of the batch; times come along."""
    toy = ToyBackbone()
    encoder = FrameEncoder(toy, make_reducer(toy.own_grid, tokens=0, similarity=0.0))
    pictures = frames(5, size=(64, 64))
    tokens = [*encoder.encode(pictures[:2]), *encoder.encode(pictures[2:])]
    assert [(one.number, one.pts_s, one.captured_utc) for one in tokens] == [
        (n, float(n), 1000.0 + n) for n in range(5)
    ]
    assert all(one.embeds.shape == (16, 48) for one in tokens)


def test_a_batch_encodes_as_its_frames_do_alone() -> None:
    """Which frames are encoded together does not matter."""
    toy = ToyBackbone()
    together, alone = (
        FrameEncoder(toy, make_reducer(toy.own_grid, tokens=0, similarity=0.0)) for _ in range(2)
    )
    pictures = frames(3, size=(64, 64))
    for batch, single in zip(
        together.encode(pictures), [alone.encode([one])[0] for one in pictures], strict=True
    ):
        torch.testing.assert_close(batch.embeds, single.embeds)


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    """Streams scale while they decode; nothing is done twice."""
    picture = frames(1, size=(64, 48))[0].image
    assert fit(picture, (64, 48)) is picture


def test_other_pictures_are_fitted() -> None:
    """A picture from elsewhere is brought to the model's size: shrunk by areas, so that a flat picture stays flat."""
    flat = np.full((200, 300, 3), 77, np.uint8)
    assert (fit(flat, (64, 64)) == 77).all()
    assert fit(flat, (64, 64)).shape == (64, 64, 3)
    assert fit(flat, (640, 480)).shape == (480, 640, 3)
