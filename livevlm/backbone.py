"""Backbone: the one protocol behind which every vision-language model stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livevlm.chat import ChatLayout
from livevlm.decoder import Past
from memory import KVShape, Rope


class TextCodec(Protocol):
    """Text to token ids and back."""

    @property
    def stop_ids(self) -> frozenset[int]:
        """Ids that end an answer."""
        ...

    def encode(self, text: str) -> list[int]:
        """Ids of a text; special tokens written out in it are taken as such, none are added."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids without special tokens; an unfinished character shows as U+FFFD."""
        ...

    def layout(self, system_prompt: str) -> ChatLayout:
        """The text around video and question; an empty system prompt is the model's own."""
        ...


class Backbone(Protocol):
    """A vision-language model: frames to tokens, tokens to hidden states, hidden states to logits."""

    @property
    def name(self) -> str:
        """What the model is called."""
        ...

    @property
    def kv(self) -> KVShape:
        """The shape of its keys and values."""
        ...

    @property
    def rope(self) -> Rope:
        """Its rotary positions."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        ...

    @property
    def weight_bytes(self) -> int:
        """What every walk reads, be it for one token: the weights of the text model's layers and of its head."""
        ...

    @property
    def max_positions(self) -> int:
        """The most positions that it was trained to read at once."""
        ...

    @property
    def frame_size(self) -> tuple[int, int]:
        """(width, height) of the pictures that it takes."""
        ...

    @property
    def frame_grid(self) -> tuple[int, int]:
        """(rows, columns) of the tokens that it makes of a picture, before reduction."""
        ...

    @property
    def own_grid(self) -> tuple[int, int]:
        """(rows, columns) of the tokens that it was trained to see of a video frame."""
        ...

    @property
    def codec(self) -> TextCodec:
        """Its tokenizer."""
        ...

    def encode(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """RGB pictures (B, height, width, 3) of `frame_size` -> tokens (B, rows, columns, hidden)."""
        ...

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token ids -> embeddings (N, hidden)."""
        ...

    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """Embeddings (N, hidden) -> final hidden states (N, hidden)."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (N, hidden) -> logits (N, vocabulary), float32."""
        ...
