"""Looking: teach attention heads to look where an answer is to be found.

What came right after the red car stands in the frame whose tokens know that a red car was shown right before them
(livevlm/training/standing.py); of two things the first is the one that stands in the earlier frames. Each is two steps, and
answers alone hardly taught both at once (docs/log.md). This loss teaches the second step by itself: while it says an answer,
some heads of one layer shall give their attention to the last tokens of the frames that the exchange names as its clue.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm.training.layout import IGNORED, Batch, attention_mask, position_ids
from livevlm.training.reels import Reels
from memory import Rope

LAYER = -3  # two layers are left to read out what lies where they look
# Every second query head, so of every key-value head some; each is taught by itself.
HEADS = slice(1, None, 2)


def clues(reels: Reels) -> Tensor:
    """(B, X, F) bool: the frames that the exchanges of each stream name as their clue."""
    count, frames = reels.scenes.shape
    found = torch.zeros(count, max(map(len, reels.exchanges)), frames, dtype=torch.bool)
    for row, asked in enumerate(reels.exchanges):
        for place, exchange in enumerate(asked):
            found[row, place, list(exchange.clue)] = True
    return found


def looking_loss(
    model: LlavaOnevisionForConditionalGeneration,
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    wanted: Tensor,
    batch: Batch,
) -> tuple[Tensor, float] | None:
    """queries, keys: of every layer (B, S, heads * D), without position; wanted: `clues`. The loss, and the mean share of its
    attention that a head gives to the clues; None where no exchange has a clue that it may see.
    """
    rows, places = ((batch.labels != IGNORED) & (batch.groups > 0)).nonzero(as_tuple=True)
    frames = wanted[rows, batch.groups[rows, places] - 1]
    mask = attention_mask(batch)[rows, 0, places]
    # A frame's last token alone knows all of it (livevlm/training/standing.py).
    last = (batch.frame_of >= 0) & (batch.frame_of != batch.frame_of.roll(-1))
    held = frames[:, batch.frame_of.clamp_min(0)] & last & mask
    some = held.any(1)
    if not some.any():
        return None
    rows, places, mask, held = rows[some], places[some], mask[some], held[some]
    text, rotary = model.config.text_config, model.model.language_model.rotary_emb
    rope = Rope(rotary.inv_freq.float(), float(rotary.attention_scaling))
    dim, here = text.hidden_size // text.num_attention_heads, position_ids(batch)
    per_group = text.num_attention_heads // text.num_key_value_heads
    q = queries[LAYER].float().view(*here.shape, -1, dim)[:, :, HEADS]
    k = keys[LAYER].float().view(*here.shape, -1, dim).repeat_interleave(per_group, 2)[:, :, HEADS]
    q, k = (
        rope.rotate(part.flatten(0, 1).transpose(0, 1), here.flatten()).view(-1, *here.shape, dim)
        for part in (q, k)
    )
    each = [q[:, row, places[rows == row]] @ k[:, row].mT for row in range(len(here))]
    scores = torch.cat(each, dim=1) * dim**-0.5
    logs = scores.masked_fill(~mask, -torch.inf).log_softmax(-1)
    mass = logs.masked_fill(~held, -torch.inf).logsumexp(-1)
    return -mass.mean(), float(mass.detach().exp().mean())
