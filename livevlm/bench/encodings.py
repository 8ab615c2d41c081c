"""EncodedOnce: a backbone that looks at every distinct picture once, however many memories are shown it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livevlm.backbone import Backbone, TextCodec
from livevlm.decoder import Past
from livevlm.vision import fit

BATCH = 16  # pictures that the tower takes at once


class EncodedOnce:
    """The backbone given, but for what its tower makes of pictures, which is kept for as long as this lives.

    Prefill and answers are the inner backbone's own.
    """

    def __init__(self, inner: Backbone) -> None:
        self._inner = inner
        self._tokens: dict[bytes, Tensor] = {}
        self.name, self.kv, self.rope = inner.name, inner.kv, inner.rope
        self.device, self.dtype = inner.device, inner.dtype
        self.max_positions, self.weight_bytes = inner.max_positions, inner.weight_bytes
        self.frame_size, self.frame_grid, self.own_grid = (
            inner.frame_size,
            inner.frame_grid,
            inner.own_grid,
        )
        self.codec: TextCodec = inner.codec

    @torch.inference_mode()
    def look(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> None:
        """Encode RGB pictures (height, width, 3) of any size beforehand, in batches that do not depend on who asks later."""
        for start in range(0, len(pictures), BATCH):
            batch = [fit(picture, self.frame_size) for picture in pictures[start : start + BATCH]]
            self.encode(np.stack(batch))

    def encode(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """RGB pictures (B, height, width, 3) of `frame_size` -> tokens (B, rows, columns, hidden)."""
        keys = [blake2b(image.tobytes(), digest_size=16).digest() for image in images]
        new = {
            key: image for key, image in zip(keys, images, strict=True) if key not in self._tokens
        }
        if new:
            self._tokens |= dict(
                zip(new, self._inner.encode(np.stack(list(new.values()))), strict=True)
            )
        return torch.stack([self._tokens[key] for key in keys])

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token ids -> embeddings (N, hidden)."""
        return self._inner.embed(ids)

    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """Embeddings (N, hidden) -> final hidden states (N, hidden)."""
        return self._inner.forward(embeds, past)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (N, hidden) -> logits (N, vocabulary), float32."""
        return self._inner.logits(hidden)
