"""RowCodec: what goes in comes out, exactly or within the bounds that it states."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.archive import RowCodec
from memory.kv import KVShape

SHAPE = KVShape(layers=3, heads=4, kv_heads=2, head_dim=6)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def random_kv(seed: int, tokens: int, scale: float, dtype: torch.dtype) -> torch.Tensor:
    """Keys and values (2, L, G, N, D), some of them outliers, some zero."""
    generator = torch.Generator().manual_seed(seed)
    size = (2, SHAPE.layers, SHAPE.kv_heads, tokens, SHAPE.head_dim)
    made = torch.randn(size, generator=generator)
    made *= 10 ** torch.randint(-3, 3, (*size[:4], 1), generator=generator)
    made *= torch.randint(0, 2, (*size[:4], 1), generator=generator)
    limit = torch.finfo(dtype).max
    return (made * scale).clamp(-limit, limit).to(dtype)


@settings(deadline=None, max_examples=30)
@given(data=st.binary(min_size=0, max_size=400), dtype=st.sampled_from(DTYPES))
def test_exact_rows_come_back_bit_for_bit(data: bytes, dtype: torch.dtype) -> None:
    """Whatever bits a key has, infinite and not a number too, they are those that come back."""
    token = 2 * SHAPE.layers * SHAPE.kv_heads * SHAPE.head_dim * dtype.itemsize
    tokens = 1 + len(data) // token
    raw = torch.tensor(list(data.ljust(tokens * token, b"\xff")), dtype=torch.uint8)
    size = (2, SHAPE.layers, SHAPE.kv_heads, tokens, SHAPE.head_dim)
    keys, values = raw.view(dtype).reshape(size)
    codec = RowCodec(SHAPE, dtype, "exact")
    rows = codec.encode(keys, values)
    assert rows.shape == (tokens, SHAPE.layers, codec.row_bytes)
    found = torch.stack(codec.decode(rows.transpose(0, 1)))
    assert found.dtype == dtype
    assert torch.equal(found.view(torch.uint8), torch.stack((keys, values)).view(torch.uint8))


@pytest.mark.parametrize(("storage", "levels"), [("int8", 127), ("int4", 7)])
@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(1, 9),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e4]),
    dtype=st.sampled_from(DTYPES),
)
def test_fewer_bits_stay_within_half_a_step(
    storage: str, levels: int, seed: int, tokens: int, scale: float, dtype: torch.dtype
) -> None:
    """Each number is off by at most half a scale, scale <= 1.004 max / levels, beside what its own type rounds."""
    given_kv = random_kv(seed, tokens, scale, dtype)
    codec = RowCodec(SHAPE, dtype, storage)  # type: ignore[arg-type]
    rows = codec.encode(*given_kv)
    assert rows.shape == (tokens, SHAPE.layers, codec.row_bytes)
    found = torch.stack(codec.decode(rows.transpose(0, 1))).float()
    wanted = given_kv.float()
    step = 1.004 * wanted.abs().amax(-1, keepdim=True) / levels
    info = torch.finfo(dtype)
    rounding = info.eps * wanted.abs().amax(-1, keepdim=True) + max(info.tiny, 1e-36)
    assert ((found - wanted).abs() <= step / 2 + rounding).all()
    assert found.isfinite().all()


def test_fewer_bits_take_fewer_bytes() -> None:
    """A row is as long as promised: numbers of eight or four bits, and two bytes a kv head for keys and for values."""
    sizes = {s: RowCodec(SHAPE, torch.float32, s).row_bytes for s in ("exact", "int8", "int4")}
    assert sizes == {"exact": 24 * 4, "int8": 24 + 8, "int4": 12 + 8}


def test_the_largest_number_of_a_type_stays_finite() -> None:
    """A scale rounded up never turns the largest half-precision number into an infinite one."""
    keys = torch.full((3, 2, 1, 6), torch.finfo(torch.float16).max, dtype=torch.float16)
    for storage in ("int8", "int4"):
        codec = RowCodec(SHAPE, torch.float16, storage)
        found, _ = codec.decode(codec.encode(keys, -keys).transpose(0, 1))
        assert found.isfinite().all()
