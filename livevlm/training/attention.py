"""Attention for training on a CPU: plain products, faster there than the fused kernel.

Scores in the compute type, one softmax, two products. At the sizes of the bundled model a training step takes half as
long as with `scaled_dot_product_attention`, whose backward pass on CPUs is slow (docs/log.md). It holds the scores in
memory, so it is not for long sequences.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

NAME = "livevlm_plain"
FORBIDDEN = -30_000.0


def use_plain_attention(model: PreTrainedModel) -> None:
    """Let a model's towers attend so from now on; nothing of it is saved with a checkpoint."""
    AttentionInterface.register(NAME, plain_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def plain_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **_others: object,
) -> tuple[Tensor, None]:
    """Query (B, H, N, D), key and value (B, G, M, D), mask (B or 1, 1, N, M), bool or added -> (B, N, H, D)."""
    heads, tokens, dim = query.shape[1:]
    scale = dim**-0.5 if scaling is None else scaling
    per_group = heads // key.shape[1]
    if per_group > 1:
        key, value = (part.repeat_interleave(per_group, dim=1) for part in (key, value))
    mask = attention_mask
    if mask is None and getattr(module, "is_causal", False):
        # The library leaves the mask out where it expects the kernel to be causal by itself.
        mask = torch.ones(tokens, tokens, dtype=torch.bool, device=query.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        blocked = torch.zeros(mask.shape, dtype=value.dtype, device=mask.device)
        mask = blocked.masked_fill_(~mask, FORBIDDEN)
    kind = value.dtype
    out: Tensor = _Attention.apply((query * scale).to(kind), key.to(kind), value, mask)  # type: ignore[no-untyped-call]
    return out.transpose(1, 2).contiguous(), None


class _Attention(torch.autograd.Function):
    """softmax(q k^T + mask) v with its gradients written out.

    The gradient of the scores needs, per row, only the product of the output with its own gradient (as in FlashAttention,
    arXiv 2205.14135, section 3.1); so it is two passes in place over what the products left, where the library's softmax takes
    four times as long.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """All (B, H, N, D), the mask added to the scores (B or 1, 1, N, N)."""
        with torch.autocast(q.device.type, enabled=False):
            scores = q @ k.transpose(-1, -2)
            if mask is not None:
                scores += mask
            weights = torch.softmax(scores, dim=-1)
            out = weights @ v
        ctx.save_for_backward(q, k, v, weights, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradients of q, k and v."""
        q, k, v, weights, out = ctx.saved_tensors
        grad = grad.to(v.dtype)
        with torch.autocast(q.device.type, enabled=False):
            grad_v = weights.transpose(-1, -2) @ grad
            grad_scores = grad @ v.transpose(-1, -2)
            grad_scores -= (grad.float() * out.float()).sum(-1, keepdim=True).to(v.dtype)
            grad_scores *= weights
            return grad_scores @ k, grad_scores.transpose(-1, -2) @ q, grad_v, None
