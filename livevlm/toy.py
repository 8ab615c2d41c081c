"""Toy: a two-layer random backbone behind the same protocol. For tests and for trying the daemon without any weights.

It sees colours and says nonsense, but deterministically: everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, silu

from livevlm.chat import Between, ChatLayout
from livevlm.decoder import Past, walk
from memory import KVShape, Rope

_PATCH = 8


class ByteCodec:
    """UTF-8 bytes as tokens; 256 ends an answer."""

    stop_ids = frozenset({256})

    def encode(self, text: str) -> list[int]:
        """One id a byte."""
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        """Bytes to text; what is no character shows as U+FFFD."""
        return bytes(number for number in ids if number < 256).decode(errors="replace")

    def layout(self, system_prompt: str) -> ChatLayout:
        """A bare dialogue."""
        return ChatLayout(f"{system_prompt}\n", "\nQ: ", "\nA: ", Between("\nA: ", "\nQ: "))


class _Attention(nn.Module):
    def __init__(self, hidden: int, kv: KVShape) -> None:
        super().__init__()
        self.q_proj = nn.Linear(hidden, kv.heads * kv.head_dim)
        self.k_proj = nn.Linear(hidden, kv.kv_heads * kv.head_dim)
        self.v_proj = nn.Linear(hidden, kv.kv_heads * kv.head_dim)
        self.o_proj = nn.Linear(kv.heads * kv.head_dim, hidden, bias=False)


class _Mlp(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate, self.up, self.down = (
            nn.Linear(hidden, 64),
            nn.Linear(hidden, 64),
            nn.Linear(64, hidden),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(silu(self.gate(x)) * self.up(x))
        return out


class _Layer(nn.Module):
    def __init__(self, hidden: int, kv: KVShape) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(hidden), nn.RMSNorm(hidden)
        self.self_attn, self.mlp = _Attention(hidden, kv), _Mlp(hidden)


class ToyBackbone(nn.Module):
    """Two layers of 48, four query heads over two kv heads, 16 tokens a frame of 64 x 64 pixels, 257 ids."""

    name = "toy"
    kv = KVShape(layers=2, heads=4, kv_heads=2, head_dim=12)
    max_positions = 32_768
    frame_size = (64, 64)
    frame_grid = (8, 8)
    own_grid = (4, 4)
    dtype = torch.float32
    device = torch.device("cpu")

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        hidden = 48
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._patch = nn.Linear(3, hidden)
            self._embedding = nn.Embedding(257, hidden)
            self._layers = nn.ModuleList(_Layer(hidden, self.kv) for _ in range(self.kv.layers))
            self._norm = nn.RMSNorm(hidden)
        half = self.kv.head_dim // 2
        self.rope = Rope(10_000.0 ** (-torch.arange(half) / half))
        self.codec = ByteCodec()
        self.requires_grad_(False)

    @property
    def weight_bytes(self) -> int:
        """Of both layers and the table, which is the head too."""
        layers = sum(one.nbytes for one in self._layers.parameters())
        return layers + self._embedding.weight.nbytes

    def encode(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """The mean colour of each patch of 8 x 8 pixels, projected."""
        planes = (
            torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
        )
        cells = adaptive_avg_pool2d(planes, (planes.shape[2] // _PATCH, planes.shape[3] // _PATCH))
        out: Tensor = self._patch(cells.permute(0, 2, 3, 1))
        return out

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Rows of the embedding table."""
        out: Tensor = self._embedding(torch.tensor(ids))
        return out

    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """Through both layers."""
        return walk(self._layers, self._norm, embeds, self.kv.head_dim, past)

    def logits(self, hidden: Tensor) -> Tensor:
        """The embedding table, tied."""
        return hidden @ self._embedding.weight.T
