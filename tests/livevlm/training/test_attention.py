"""Plain attention does what the library's own does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from livevlm.training.attention import plain_attention, use_plain_attention
from tests.livevlm.training.making import TINY, tiny_model


class Plain(nn.Module):
    """What the library hands over as the attending layer."""

    def __init__(self, is_causal: bool) -> None:
        super().__init__()
        self.is_causal = is_causal


def parts(groups: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Query of 4 heads, key and value of as many groups; 2 rows of 9 tokens."""
    torch.manual_seed(groups)
    made = [torch.randn(2, heads, 9, 8, dtype=dtype) for heads in (4, groups, groups)]
    query, key, value = (one.requires_grad_() for one in made)
    return query, key, value


def mask_of(kind: str, rows: int) -> Tensor | None:
    """No mask, a bool one, or the same to be added."""
    if kind in ("none", "causal"):
        return None
    allowed = (torch.rand(rows, 1, 9, 9, generator=torch.Generator().manual_seed(3)) < 0.6).tril()
    allowed |= torch.eye(9, dtype=torch.bool)
    return allowed if kind == "bool" else torch.zeros(allowed.shape).masked_fill(~allowed, -1e4)


def outcome(out: Tensor, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Values and gradients under a loss that weighs every number differently."""
    weight = torch.linspace(-1, 1, out.numel()).view(out.shape)
    return [out, *torch.autograd.grad((out.float() * weight).sum(), inputs)]


@pytest.mark.parametrize("kind", ["none", "causal", "bool", "added"])
@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 0.06)])
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("scaling", [None, 0.5])
def test_values_and_gradients_are_those_of_the_fused_kernel(
    kind: str, groups: int, dtype: torch.dtype, near: float, rows: int, scaling: float | None
) -> None:
    """Whatever the mask, and however many heads share keys."""
    inputs, mask = parts(groups, dtype), mask_of(kind, rows)
    given: Any = mask.to(dtype) if mask is not None and kind == "added" else mask
    mine, nothing = plain_attention(Plain(kind == "causal"), *inputs, given, scaling=scaling)
    assert nothing is None
    whole = [one.float() for one in inputs]
    theirs = scaled_dot_product_attention(
        *whole, mask, is_causal=kind == "causal", scale=scaling, enable_gqa=True
    )
    found = outcome(mine, inputs)
    assert all(one.dtype == dtype for one in found)
    for one, other in zip(found, outcome(theirs.transpose(1, 2), inputs), strict=True):
        assert torch.allclose(one.float(), other.float(), atol=near, rtol=near)


def test_no_one_sees_what_is_forbidden() -> None:
    """A key that the mask hides has no influence at all, not even a little."""
    query, key, value = parts(2, torch.float32)
    mask = torch.ones(1, 1, 9, 9, dtype=torch.bool)
    mask[..., 4] = False
    out, _ = plain_attention(Plain(False), query, key, value, mask)
    key.data[:, :, 4], value.data[:, :, 4] = 50.0, 1e6
    again, _ = plain_attention(Plain(False), query, key, value, mask)
    assert torch.equal(out, again)


def test_a_whole_model_computes_the_same_with_it() -> None:
    """Tower and text model, with a mask and without, give the numbers that they gave before."""
    torch.manual_seed(1)
    model, ids = tiny_model(), torch.randint(0, TINY.vocab, (2, 12))
    embeds, pixels = torch.randn(2, 12, TINY.hidden), torch.randn(3, 3, 32, 32)
    mask = torch.ones(12, 12, dtype=torch.bool).tril()
    mask[6:, 2:4] = False
    places = torch.arange(12).expand(2, -1)

    def numbers() -> list[Tensor]:
        text = model.model.language_model
        masked = text(
            inputs_embeds=embeds,
            attention_mask=mask.expand(2, 1, 12, 12),
            position_ids=places,
            use_cache=False,
        )
        return [
            text(input_ids=ids, use_cache=False).last_hidden_state,
            masked.last_hidden_state,
            model.get_video_features(pixels[None]).pooler_output[0],
        ]

    with torch.no_grad():
        before = numbers()
        use_plain_attention(model)
        after = numbers()
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
        assert not torch.equal(one, torch.zeros_like(one))
