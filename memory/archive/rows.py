"""RowCodec: one token's keys and values as bytes, a row a layer, exact or with fewer bits.

int8 and int4 are symmetric with one scale a (token, layer, keys or values, kv head): x is stored as round(x / scale),
and scale as bfloat16, whose range is float32's. The division is by the scale as stored, so that rounding it costs
nothing: each number comes back within half a scale, scale <= 1.004 * max|x| / 127 or / 7.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from memory.kv import KVShape

Storage = Literal["exact", "int8", "int4"]

_LEVELS = {"int8": 127, "int4": 7}
_SCALE_BYTES = 2


class RowCodec:
    """Turns keys and values (L, G, N, D) into rows (N, L, B) of bytes, and rows back.

    A row is [keys | values] if exact, else [scales of keys, of values | keys | values].
    """

    def __init__(self, shape: KVShape, dtype: torch.dtype, storage: Storage) -> None:
        self._shape, self._dtype, self._storage = shape, dtype, storage

    @property
    def row_bytes(self) -> int:
        """B: bytes of one token in one layer."""
        numbers = 2 * self._shape.kv_heads * self._shape.head_dim
        if self._storage == "exact":
            return numbers * self._dtype.itemsize
        body = numbers if self._storage == "int8" else numbers // 2
        return 2 * self._shape.kv_heads * _SCALE_BYTES + body

    def encode(self, keys: Tensor, values: Tensor) -> Tensor:
        """Keys and values (L, G, N, D), finite unless stored exactly -> rows (N, L, B) uint8 on the host."""
        both = torch.stack((keys, values)).to(self._dtype).permute(3, 1, 0, 2, 4).contiguous()
        tokens, layers = both.shape[:2]
        if self._storage == "exact":
            return both.view(torch.uint8).reshape(tokens, layers, -1).cpu()
        scales, body = _quantised(both.float(), _LEVELS[self._storage])
        if self._storage == "int4":
            body = _packed(body)
        parts = (scales.contiguous().view(torch.uint8), body.contiguous().view(torch.uint8))
        return torch.cat([part.reshape(tokens, layers, -1) for part in parts], dim=2).cpu()

    def decode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (L, M, B) -> keys and values (L, G, M, D), where the rows are."""
        heads, dim = self._shape.kv_heads, self._shape.head_dim
        size = (*rows.shape[:2], 2, heads, dim)
        if not rows.numel():
            both = rows.new_empty(size, dtype=self._dtype)
        elif self._storage == "exact":
            both = rows.contiguous().view(self._dtype).reshape(size)
        else:
            split = 2 * heads * _SCALE_BYTES
            scales = rows[..., :split].contiguous().view(torch.bfloat16).float()
            body = rows[..., split:].contiguous().view(torch.int8)
            whole = _unpacked(body) if self._storage == "int4" else body
            limit = torch.finfo(self._dtype).max
            scaled = whole.reshape(size).float() * scales.reshape(*size[:4], 1)
            both = scaled.clamp_(-limit, limit).to(self._dtype)
        keys, values = both.permute(2, 0, 3, 1, 4).contiguous()
        return keys, values


def _quantised(numbers: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """(..., D) -> scales (...) bfloat16, and int8 (..., D) within -levels..levels."""
    scales = (numbers.abs().amax(dim=-1) / levels).to(torch.bfloat16)
    by = scales.float()[..., None]
    whole = torch.where(by > 0, numbers / by, 0.0).round_().clamp_(-levels, levels)
    return scales, whole.to(torch.int8)


def _packed(whole: Tensor) -> Tensor:
    """int8 (..., D) of four bits -> (..., D / 2): even places in the low half of a byte, odd ones in the high half."""
    return (whole[..., 0::2] & 15) | (whole[..., 1::2] << 4)


def _unpacked(body: Tensor) -> Tensor:
    """int8 (..., D / 2) -> (..., D). Shifting right carries the sign."""
    return torch.stack(((body << 4) >> 4, body >> 4), dim=-1).flatten(-2)
