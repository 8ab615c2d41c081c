"""The text decoder, walked layer by layer over a model's own submodules.

What moves: embeddings (N, hidden) go through every layer; in each, the position-free queries, keys and values are
handed to a `Past`, which gives them positions, attends, and keeps what it wants. So keys can be stored without position
and no cache class, mask builder or patched model file is involved. The alternative, an attention function registered
with transformers and an identity rotary embedding, follows more architectures but lives with the library's mask rules;
tests/livevlm/test_proofs.py holds this walk against the model's own forward pass.

Works for pre-norm decoders with q/k/v/o projections and a gated mlp under the usual names (Qwen2, Qwen3, Llama).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from memory import Context, Recall, Rope


class Past(Protocol):
    """What new tokens attend to besides themselves."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Position-free q (H, N, D) and k, v (G, N, D) of one layer -> attention output (H, N, D)."""
        ...


def walk(
    layers: Iterable[nn.Module], norm: nn.Module, embeds: Tensor, head_dim: int, past: Past
) -> Tensor:
    """Embeddings (N, hidden) -> final hidden states (N, hidden)."""
    x = embeds
    for number, layer in enumerate(layers):
        attention = layer.self_attn
        assert isinstance(attention, nn.Module)
        h = layer.input_layernorm(x)  # type: ignore[operator]
        q, k, v = (_heads(attention, part, h, head_dim) for part in ("q", "k", "v"))
        mixed = past.attend(number, q, k, v).transpose(0, 1).reshape(len(x), -1)
        x = x + attention.o_proj(mixed)  # type: ignore[operator]
        x = x + layer.mlp(layer.post_attention_layernorm(x))  # type: ignore[operator]
    out: Tensor = norm(x)
    return out


def _heads(attention: nn.Module, part: str, h: Tensor, head_dim: int) -> Tensor:
    """One projection of h (N, hidden) as heads (heads, N, D), normalised per head where the architecture does (Qwen3)."""
    projected: Tensor = getattr(attention, f"{part}_proj")(h)
    heads = projected.view(len(h), -1, head_dim)
    normed: Tensor = getattr(attention, f"{part}_norm", nn.Identity())(heads)
    return normed.transpose(0, 1)


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Rotated q (H, N, D), k and v (G, M, D), M >= N: the last N keys are the queries' own. -> (H, N, D).

    Never materialises attention weights: a fused kernel does the work, on an accelerator without a mask tensor.
    """
    new, total = q.shape[1], k.shape[1]
    mask: Tensor | None = None
    if new == 1:
        # A single query sees every key, so heads that share keys can stand as rows of one: nothing is repeated for them.
        rows = q.view(1, k.shape[0], -1, q.shape[2])
        return scaled_dot_product_attention(rows, k[None], v[None]).reshape(q.shape)
    if 1 < new < total:
        # Queries are the newest tokens: the mask is aligned to the lower right corner.
        if q.is_cuda:
            mask = causal_lower_right(new, total)
        else:
            mask = torch.ones(new, total, dtype=torch.bool).tril(total - new)
    out = scaled_dot_product_attention(
        q[None], k[None], v[None], attn_mask=mask, is_causal=new == total > 1, enable_gqa=True
    )
    return out[0]


class ChunkPast:
    """New tokens over a memory's context; keeps their position-free keys and values, and the queries of the last few.

    After a walk: keys, values (L, G, N, D) and queries (L, H, min(R, N), D).
    """

    def __init__(self, context: Context | None, rope: Rope, queries: int) -> None:
        self._context, self._rope, self._count = context, rope, queries
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend to the context at positions 0.. and to the chunk right after it."""
        assert layer == len(self._kept), "a ChunkPast serves one walk"
        self._kept.append((k, v, q[:, max(0, q.shape[1] - self._count) :]))
        keys, values = k, v
        if self._context is not None:
            keys = torch.cat((self._context.keys[layer], k), dim=1)
            values = torch.cat((self._context.values[layer], v), dim=1)
        here = torch.arange(keys.shape[1], device=q.device)
        return causal_attention(
            self._rope.rotate(q, here[len(here) - q.shape[1] :]),
            self._rope.rotate(keys, here),
            values,
        )

    @property
    def keys(self) -> Tensor:
        """(L, G, N, D), position-free."""
        return torch.stack([k for k, _, _ in self._kept])

    @property
    def values(self) -> Tensor:
        """(L, G, N, D)."""
        return torch.stack([v for _, v, _ in self._kept])

    @property
    def queries(self) -> Tensor:
        """(L, H, R, D), position-free."""
        return torch.stack([q for _, _, q in self._kept])


class SideBySide:
    """Chunks of several streams in one walk, one behind the other: the linear layers work on all their tokens at once, and each
    chunk attends by its own past alone.
    """

    def __init__(self, pasts: Sequence[Past], lengths: Sequence[int]) -> None:
        """lengths: the tokens of each past's chunk."""
        self._pasts, self._lengths = pasts, list(lengths)

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Every chunk to its own past and to itself."""
        parts = zip(*(torch.split(whole, self._lengths, 1) for whole in (q, k, v)), strict=True)
        mixed = [past.attend(layer, *part) for past, part in zip(self._pasts, parts, strict=True)]
        return torch.cat(mixed, dim=1)


class AnswerPast:
    """A working copy of a recall, rotated once to the positions that it says, with room for a question and its answer
    behind it.

    The recall itself is not touched. After each walk `queries` holds the position-free queries of its last token, (L,
    H, 1, D).
    """

    def __init__(self, recall: Recall, rope: Rope, room: int) -> None:
        layers, kv_heads, tokens, head_dim = recall.keys.shape
        self.rope, self._length = rope, tokens
        shape = (2, kv_heads, tokens + room, head_dim)
        places, following = recall.places()
        self._ahead = following - tokens
        self._layers: list[Tensor] = []  # keys and values of each
        for layer in range(layers):
            held = recall.keys.new_empty(shape)
            held[0, :, :tokens] = rope.rotate(recall.keys[layer], places[layer])
            held[1, :, :tokens] = recall.values[layer]
            self._layers.append(held)
        self._queries: list[Tensor] = []

    def __len__(self) -> int:
        return self._length

    @property
    def queries(self) -> Tensor:
        """(L, H, 1, D), position-free, of the last token of the latest walk."""
        return torch.stack(self._queries)

    def places(self, count: int) -> Tensor:
        """The positions of the next so many tokens, float64."""
        start, device = self._length + self._ahead, self.rope.inv_freq.device
        return torch.arange(count, dtype=torch.float64, device=device) + start

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Append the new tokens' keys and values, and attend to everything so far."""
        angles = self.rope.angles(self.places(q.shape[1]))
        held = torch.stack((self.rope.turn(k, angles), v))
        return self.append(layer, q, self.rope.turn(q, angles), held)

    def append(self, layer: int, free: Tensor, q: Tensor, held: Tensor) -> Tensor:
        """As `attend`, of queries (H, N, D) as they are and rotated, and held (2, G, N, D): rotated keys, and values."""
        start, count = self._length, q.shape[1]
        stop, own = start + count, self._layers[layer]
        assert stop <= own.shape[2], f"no room for {stop} tokens in {own.shape[2]}"
        own.narrow(2, start, count).copy_(held)
        if layer == 0:
            self._queries = []
        self._queries.append(free[:, -1:])
        if layer == len(self._layers) - 1:
            self._length = stop
        return causal_attention(q, *own.narrow(2, 0, stop).unbind(0))


class AnswerPasts:
    """Several answers in one walk, with some new tokens each. What is alike for all is done at once; each attends to its own
    past alone. It serves one walk.
    """

    def __init__(self, pasts: Sequence[AnswerPast], lengths: Sequence[int]) -> None:
        """lengths: how many new tokens each has. All have one model."""
        self.pasts, self.lengths = pasts, list(lengths)
        self._rope = pasts[0].rope
        places = [past.places(count) for past, count in zip(pasts, lengths, strict=True)]
        self._angles = self._rope.angles(torch.cat(places))

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Every answer's new tokens to its own past and to themselves."""
        held = torch.stack((self._rope.turn(k, self._angles), v))
        parts = zip(
            self.pasts,
            torch.split(q, self.lengths, 1),
            torch.split(self._rope.turn(q, self._angles), self.lengths, 1),
            torch.split(held, self.lengths, 2),
            strict=True,
        )
        return torch.cat([past.append(layer, *part) for past, *part in parts], dim=1)
