"""How many answers are right, by question type and length of stream, on scenes and wordings that training never saw.

An answer counts when all its tokens and its end are the most likely ones given those before: exactly when greedy
decoding gives it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from livevlm.training.language import (
    IGNORED,
    Bank,
    Collator,
    answer_logits,
    build_bank,
    draw_streams,
)
from livevlm.training.questions import TYPES


@dataclass(frozen=True, slots=True)
class Score:
    """So many of so many answers right."""

    right: int
    asked: int

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        z, n, p = 1.96, self.asked, self.right / self.asked
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return middle - half, middle + half


@torch.no_grad()
def score(
    model: LlavaOnevisionForConditionalGeneration,
    bank: Bank,
    collator: Collator,
    rng: np.random.Generator,
    *,
    type_: str,
    frames: int,
) -> Score:
    """Ask about 160 questions of one type on streams of that length, in held-out wordings."""
    streams = draw_streams(
        rng, bank, count=40, frames=frames, questions=4, types=(type_,), held_out=True
    )
    tokens = bank.tokens.shape[2]
    batch = collator.collate(streams, tokens, torch.zeros(40, frames * tokens, dtype=torch.bool))
    logits, labels = answer_logits(model, bank, streams, batch)
    hit = torch.ones(batch.labels.shape, dtype=torch.bool)
    hit[batch.labels != IGNORED] = logits.argmax(-1) == labels
    right = sum(
        bool(hit[row][batch.groups[row] == group].all())
        for row in range(40)
        for group in range(1, 5)
    )
    return Score(right, 160)


def evaluate(
    model: LlavaOnevisionForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    lengths: tuple[int, ...] = (1, 4, 16, 32, 64),
) -> str:
    """A table of the share right, one row a question type, one column a length of stream in frames."""
    rng = np.random.default_rng(seed)
    bank, collator = build_bank(model, rng, 1000), Collator(tokenizer)
    lines = [
        "| question | "
        + " | ".join(f"{length} frames" for length in lengths)
        + " | all, 95 % interval |"
    ]
    lines.append("|---|" + "---|" * (len(lengths) + 1))
    for type_ in TYPES:
        scores = [
            score(model, bank, collator, rng, type_=type_, frames=length) for length in lengths
        ]
        total = Score(sum(one.right for one in scores), sum(one.asked for one in scores))
        low, high = total.interval
        cells = " | ".join(f"{one.right / one.asked:.1%}" for one in scores)
        lines.append(
            f"| {type_} | {cells} | {total.right / total.asked:.1%} ({low:.1%} to {high:.1%}) |"
        )
    return "\n".join(lines)
