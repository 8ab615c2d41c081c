"""Recall: what a question gets to read, gathered out of the memory; and the spans of stream that an answer looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from memory.archive.vault import Archived
from memory.rope import Rope
from memory.scoring import attention_mass


@dataclass(frozen=True, slots=True)
class Tiers:
    """How many tokens of each tier: pinned prompt, long-term, short-term; and of the archive, which in a recall lie between
    the long-term and the short-term ones.
    """

    prompt: int
    long: int
    short: int
    archive: int = 0

    def __post_init__(self) -> None:
        assert min(self.prompt, self.long, self.short, self.archive) >= 0, self

    @property
    def video(self) -> int:
        """Tokens that are not the prompt's."""
        return self.long + self.archive + self.short

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt + self.video


@dataclass(frozen=True, slots=True)
class Recall:
    """A copy of some tokens in stream order: prompt, then long-term, archived, short-term. Later writes cannot disturb it.

    keys, values: (L, G, N, D), the keys position-free. times, utcs, frames, numbers: (L, N), numbers being places in the whole
    stream. positions: the policy by which positions are given on the way out, see `places`; most_positions is needed for
    "scaled" alone.
    """

    keys: Tensor
    values: Tensor
    times: Tensor
    utcs: Tensor
    frames: Tensor
    numbers: Tensor
    tiers: Tiers
    positions: Positions = "contiguous"
    most_positions: int = 0

    def __post_init__(self) -> None:
        assert self.keys.shape == self.values.shape, (self.keys.shape, self.values.shape)
        assert self.keys.shape[2] == self.tiers.total == self.times.shape[1], (
            self.keys.shape,
            self.tiers,
        )

    def __len__(self) -> int:
        return self.tiers.total

    def with_archived(self, archived: Sequence[Archived]) -> Recall:
        """The same with archived tokens, part after part, between the long-term and the short-term ones."""
        assert self.tiers.archive == 0, self.tiers
        at = self.tiers.prompt + self.tiers.long
        keys, values = (
            torch.cat((mine[:, :, :at], *(part.to(mine) for part in parts), mine[:, :, at:]), dim=2)
            for mine, parts in (
                (self.keys, [part.keys for part in archived]),
                (self.values, [part.values for part in archived]),
            )
        )
        times, utcs, frames, numbers = (
            torch.cat((mine[:, :at], *parts, mine[:, at:]), dim=1)
            for mine, parts in (
                (self.times, [part.times for part in archived]),
                (self.utcs, [part.utcs for part in archived]),
                (self.frames, [part.frames for part in archived]),
                (self.numbers, [part.numbers for part in archived]),
            )
        )
        tiers = replace(self.tiers, archive=sum(len(part) for part in archived))
        return replace(
            self,
            keys=keys,
            values=values,
            times=times,
            utcs=utcs,
            frames=frames,
            numbers=numbers,
            tiers=tiers,
        )

    def places(self) -> tuple[Tensor, float]:
        """The positions of the tokens (L, N), float64, and the position of what follows them.

        "contiguous": 0..N-1, whatever was left out between, as ReKV does; so a model never meets a position that it was
        not trained with. "original": the tokens' places in the whole stream. "scaled": those, drawn together so that they
        and a little room fit `most_positions` once the stream is longer. LiveVLM does not say which it restores.
        """
        if self.positions == "contiguous":
            return torch.arange(len(self), dtype=torch.float64).expand_as(self.frames), len(self)
        places = self.numbers.double()
        following = float(places.max()) + 1 if len(self) else 0.0
        room = self.most_positions - ROOM
        if self.positions == "scaled" and following > room > 0:
            return places * (room / following), room
        return places, following


Positions = Literal["contiguous", "original", "scaled"]
ROOM = 128  # positions that "scaled" leaves to a question and its answer
SpanTier = Literal["short", "long", "archive"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the stream, its ends in stream seconds and in POSIX seconds,
    with its share of the attention on the video.
    """

    from_s: float
    to_s: float
    from_utc: float
    to_utc: float
    score: float
    tier: SpanTier


def attended(recall: Recall, rope: Rope, queries: Tensor) -> Tensor:
    """How much a question's last token looks at each recalled token: (L, N), the mean over heads.

    queries: (L, H, R, D), position-free, of the question's last tokens, which follow the recalled ones.
    """
    places, following = recall.places()
    asked = torch.tensor([following])
    rows = []
    for keys, query, here in zip(recall.keys, queries, places, strict=True):
        # The asking token stands in for itself as the last key, with nothing of interest on it: it takes no part in the shares.
        mass = attention_mass(
            rope.rotate(query[:, -1:], asked),
            torch.cat((rope.rotate(keys, here), keys[:, -1:]), dim=1),
        )
        rows.append(mass[:-1])
    return torch.stack(rows)


def evidence(recall: Recall, mass: Tensor, limit: int) -> tuple[Span, ...]:
    """The frames that got the most attention (L, N), frames that follow each other joined into spans, best first;
    at most `limit` frames are taken.
    """
    video = slice(recall.tiers.prompt, None)
    weights, frames = mass[:, video].double().cpu(), recall.frames[:, video]
    if frames.numel() == 0 or limit < 1:
        return ()
    numbers, place = torch.unique(frames, return_inverse=True)
    share = torch.zeros(len(numbers), dtype=torch.float64).scatter_add_(
        0, place.flatten(), weights.flatten()
    )
    share /= share.sum().clamp_min(1e-12)
    best = share.topk(min(limit, len(numbers))).indices.sort().values
    spans: list[Span] = []
    last = -2
    for number in best.tolist():
        at = frames == numbers[number]
        time, utc = float(recall.times[:, video][at][0]), float(recall.utcs[:, video][at][0])
        tier = _tier(recall.tiers, int(at.any(0).nonzero()[-1]))
        frame = int(numbers[number])
        if frame == last + 1 and spans[-1].tier == tier:
            joined = spans.pop()
            spans.append(
                Span(
                    joined.from_s,
                    time,
                    joined.from_utc,
                    utc,
                    joined.score + float(share[number]),
                    tier,
                )
            )
        else:
            spans.append(Span(time, time, utc, utc, float(share[number]), tier))
        last = frame
    return tuple(sorted(spans, key=lambda span: span.score, reverse=True))


def _tier(tiers: Tiers, place: int) -> SpanTier:
    """Where a video token was read from, by its place behind the prompt."""
    if place < tiers.long:
        return "long"
    return "archive" if place < tiers.long + tiers.archive else "short"
