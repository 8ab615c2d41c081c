"""How many answers are right, by question type and length of stream, on scenes and wordings that training never saw.

An answer counts when all its tokens and its end are the most likely ones given those before: exactly when greedy
decoding gives it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from livevlm.training.bank import Shots, film_shots
from livevlm.training.language import answer_logits
from livevlm.training.layout import IGNORED, Collator
from livevlm.training.questions import Exchange, Rng
from livevlm.training.reels import draw_reels
from livevlm.training.run import Run
from livevlm.training.wordings import TYPES
from streams.staging import Pair

LENGTHS = (1, 4, 16, 32, 64)
QUESTIONS = 160  # of a type and a length, about
REFUSALS = ("not in view", "not seen")
# The types that need more than one frame, and the lengths that give none of them.
LONGER = {"now_moving": 4, "past_first": 4, "past_next": 4}


@dataclass(frozen=True, slots=True)
class Score:
    """So many of so many answers right."""

    right: int = 0
    asked: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.asked + other.asked)

    @property
    def share(self) -> float:
        """0..1."""
        return self.right / self.asked

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        z, n, p = 1.96, self.asked, self.share
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        return f"{self.share:.1%}" if self.asked else ""


@dataclass(frozen=True, slots=True)
class Marked:
    """An exchange, the length of its stream in frames, and whether the answer was right."""

    exchange: Exchange
    frames: int
    right: bool


@torch.no_grad()
def mark(
    model: LlavaOnevisionForConditionalGeneration,
    run: Run,
    shots: Shots,
    collator: Collator,
    rng: Rng,
    *,
    type_: str,
    frames: int,
    streams: int = 20,
    per_stream: int = 4,
) -> Iterable[Marked]:
    """Ask questions of one type on streams of that length, in held-out wordings."""
    reels = draw_reels(
        rng,
        shots,
        count=streams,
        frames=frames,
        questions=per_stream,
        stamped=type_ == "past_when",
        only=(type_,),
        unsaid=True,
    )
    batch = collator.collate(reels, shots.tokens.shape[2]).to(run.device)
    with run.autocast():
        logits, labels = answer_logits(model, shots.tokens, reels, batch)
    hit = torch.ones_like(batch.groups, dtype=torch.bool)
    hit[batch.labels != IGNORED] = logits.argmax(-1) == labels
    for row, asked in enumerate(reels.exchanges):
        for group, exchange in enumerate(asked, start=1):
            right = bool(hit[row][batch.groups[row] == group].all())
            yield Marked(exchange, frames, right)


def examine(
    model: LlavaOnevisionForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    run: Run,
    *,
    seed: int,
    pairs: Sequence[Pair],
    lengths: Sequence[int] = LENGTHS,
    questions: int = QUESTIONS,
    scenes: int = 800,
) -> list[Marked]:
    """All types at all lengths, on new scenes out of the pairs."""
    rng = np.random.default_rng(seed)
    collator = Collator(tokenizer)
    shots = film_shots(model, run, rng, scenes, pairs)
    marked: list[Marked] = []
    for type_ in TYPES:
        for frames in lengths:
            if frames < LONGER.get(type_, 1):
                continue
            asked = 0
            while asked < questions:
                some = list(mark(model, run, shots, collator, rng, type_=type_, frames=frames))
                marked += some
                asked += len(some)
    return marked


def scores(marked: Iterable[Marked], key: Callable[[Marked], str]) -> dict[str, Score]:
    """The scores of the groups that a key makes."""
    found: dict[str, Score] = {}
    for one in marked:
        found[key(one)] = found.get(key(one), Score()) + Score(int(one.right), 1)
    return found


def table(
    seen: Sequence[Marked], unseen: Sequence[Marked], lengths: Sequence[int] = LENGTHS
) -> str:
    """A row a question type: by length of stream, all with its interval, and the pairs that training never saw."""
    heads = [
        *(f"{length} frames" for length in lengths),
        "all, 95 % interval",
        "unseen pairs, 95 % interval",
    ]
    lines = ["| question | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    cells = scores(seen, lambda one: f"{one.exchange.type} {one.frames}")
    of_seen, of_unseen = (
        scores(marked, lambda one: one.exchange.type) for marked in (seen, unseen)
    )
    rows = [(type_, of_seen.get(type_, Score()), of_unseen.get(type_, Score())) for type_ in TYPES]
    rows.append(("refusals", _refusals(seen), _refusals(unseen)))
    for name, all_, other in rows:
        by_length = [str(cells.get(f"{name} {length}", "")) for length in lengths]
        lines.append(
            f"| {name} | "
            + " | ".join([*by_length, _with_interval(all_), _with_interval(other)])
            + " |"
        )
    return "\n".join(lines)


def _refusals(marked: Iterable[Marked]) -> Score:
    """Of the questions about what was never shown."""
    refused = (one for one in marked if one.exchange.answer in REFUSALS)
    return sum((Score(int(one.right), 1) for one in refused), Score())


def _with_interval(score: Score) -> str:
    if not score.asked:
        return ""
    low, high = score.interval
    return f"{score} ({low:.1%} to {high:.1%})"


def as_json(results: Mapping[str, Sequence[Marked]]) -> str:
    """One line: for every set of pairs and every type, right and asked."""
    return json.dumps(
        {
            name: {
                key: [score.right, score.asked]
                for key, score in scores(marked, lambda one: one.exchange.type).items()
            }
            for name, marked in results.items()
        }
    )
