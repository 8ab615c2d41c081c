"""Recall: teach a question's position-free query to be near the keys of the frames that hold its answer.

Position-agnostic Retrieval (memory/readers/par.py) ranks pages by the product of the question's mean query, read over the
prompt alone, with the pages' mean keys, both before rotation. Nothing in the answers' loss asks that product to mean
anything. This loss does: in every layer, the frames that hold the answer should have the highest products of all. A published
checkpoint has no such training; what recall does for it must be measured on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from livevlm.training.layout import Batch, Collator
from livevlm.training.questions import Exchange, Rng
from livevlm.training.reels import Reels

PER_STREAM = 4


@contextmanager
def listening(model: nn.Module, part: str) -> Iterator[list[Tensor]]:
    """Collects what the projections named so give, layer after layer: (B, S, heads * D) each."""
    heard: list[Tensor] = []

    def hear(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        heard.append(output)

    hooks = [
        module.register_forward_hook(hear)
        for name, module in model.named_modules()
        if name.endswith(part)
    ]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True, slots=True)
class Lookups:
    """Questions about the past: the stream of each (Q,), its text behind the prompt (Q, T), which of it is the question
    (Q, T), and what share of the answer each frame holds (Q, F).
    """

    streams: Tensor
    ids: Tensor
    asked: Tensor
    held: Tensor

    def to(self, device: torch.device) -> Lookups:
        """The same on a device."""
        return Lookups(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def draw_lookups(rng: Rng, collator: Collator, reels: Reels) -> Lookups | None:
    """Some of the exchanges of every stream whose answer some frames hold and others do not; None where there are none."""
    frames = reels.scenes.shape[1]
    found: list[tuple[int, Exchange]] = []
    for row, asked in enumerate(reels.exchanges):
        fit = [one for one in asked if one.type.startswith("past") and 0 < len(one.frames) < frames]
        places = rng.permutation(len(fit))[:PER_STREAM]
        found += [(row, fit[place]) for place in places]
    if not found:
        return None
    texts = [collator.ids_of(exchange.question) for _, exchange in found]
    width, prompt = max(len(text) for text in texts), len(collator.prompt)
    ids = torch.zeros(len(found), prompt + width, dtype=torch.long)
    asked_mask = torch.zeros_like(ids, dtype=torch.bool)
    held = torch.zeros(len(found), frames)
    ids[:, :prompt] = torch.tensor(collator.prompt)
    for row, (text, (_, exchange)) in enumerate(zip(texts, found, strict=True)):
        ids[row, prompt : prompt + len(text)] = torch.tensor(text)
        asked_mask[row, prompt : prompt + len(text)] = True
        held[row, list(exchange.frames)] = 1 / len(exchange.frames)
    return Lookups(torch.tensor([row for row, _ in found]), ids, asked_mask, held)


class RecallLoss(nn.Module):
    """The cross-entropy between the frames that hold an answer and a softmax over the products, mean over the layers.

    The products' scale is learnt, a number a layer, and thrown away: ranking does not need it.
    """

    def __init__(self, layers: int, kv_heads: int, head_dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((layers,), math.log(1 / math.sqrt(head_dim))))
        self._kv_heads, self._head_dim = kv_heads, head_dim

    def forward(
        self, queries: Sequence[Tensor], keys: Sequence[Tensor], lookups: Lookups, batch: Batch
    ) -> tuple[Tensor, float]:
        """The loss, and how often the best frame of a layer is one that holds the answer."""
        frames = lookups.held.shape[1]
        in_frames = batch.frame_of >= 0
        weight = lookups.asked / lookups.asked.sum(1, keepdim=True)
        losses, hits = [], []
        for layer, (query, key) in enumerate(zip(queries, keys, strict=True)):
            mean = torch.einsum("qt,qtd->qd", weight, query.float())
            pooled = mean.view(len(mean), self._kv_heads, -1, self._head_dim).mean(2).flatten(1)
            by_frame: Tensor = key[:, in_frames].float().unflatten(1, (frames, -1))  # type: ignore[no-untyped-call]
            pages = by_frame.mean(2)
            products = torch.einsum("qd,qfd->qf", pooled, pages[lookups.streams])
            logs = (products * self.scale[layer].exp()).log_softmax(1)
            losses.append(-(logs * lookups.held).sum(1).mean())
            hits.append((lookups.held.gather(1, logs.argmax(1, keepdim=True)) > 0).float().mean())
        return torch.stack(losses).mean(), float(torch.stack(hits).mean())
