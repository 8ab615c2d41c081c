"""Reels: streams strung together from filmed scenes, with questions about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from livevlm.timestamps import clock_text
from livevlm.training.bank import LOOKS, Shots
from livevlm.training.past import PAST
from livevlm.training.present import NOW
from livevlm.training.questions import ANY, Exchange, Footage, Rng, draw_exchange
from streams.staging import Pair

ASKABLE = NOW | PAST
# How often each type is asked, beside 1 for the others: what is hard is asked more.
WEIGHTS = {
    "now_count": 2.0, "now_moving": 2.0, "now_describe": 2.0, "now_is": 1.5,
    "now_shape": 0.7, "now_digit": 0.7, "now_thing": 0.7,
    "past_colour": 2.0, "past_thing": 2.0, "past_sign": 1.5, "past_did": 4.0,
    "past_first": 2.5, "past_next": 2.5, "past_when": 2.5,
}  # fmt: skip
# How many frames a shot lasts: (share, from, below).
LASTING = ((0.7, 1, 7), (0.25, 6, 16), (0.05, 12, 65))


@dataclass(frozen=True, slots=True)
class Reels:
    """B streams of F frames: per frame the scene and the look; per stream its exchanges, and its footage."""

    scenes: Tensor
    looks: Tensor
    footage: list[Footage]
    exchanges: list[list[Exchange]]


def draw_reels(
    rng: Rng,
    shots: Shots,
    *,
    count: int,
    frames: int,
    questions: int,
    stamped: bool,
    types: Mapping[str, float] = WEIGHTS,
    only: Sequence[str] = tuple(ASKABLE),
    pairs: Collection[Pair] = ANY,
    unsaid: bool = False,
    more: bool = False,
) -> Reels:
    """Streams with so many questions each, of the types in `only`; stamped: with the time before every frame; pairs: those
    that questions may name.
    """
    chance = np.array([types.get(type_, 1.0) for type_ in only])
    chance /= chance.sum()
    drawn: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Footage, list[Exchange]]] = []
    while len(drawn) < count:
        scenes, looks, cuts = draw_shots(rng, frames, len(shots.views))
        views = [shots.views[scene][look] for scene, look in zip(scenes, looks, strict=True)]
        footage = Footage(views, cuts, draw_stamps(rng, frames) if stamped else None, pairs)
        asked: list[Exchange] = []
        # Some streams give no question of a type (no digit in view, say).
        for type_ in rng.choice(len(only), size=6 * questions, p=chance):
            name = only[int(type_)]
            exchange = draw_exchange(rng, footage, name, ASKABLE[name], unsaid, more)
            if exchange is not None and len(asked) < questions:
                asked.append(exchange)
        if len(asked) == questions:
            drawn.append((scenes, looks, footage, asked))
    return Reels(
        torch.from_numpy(np.stack([one[0] for one in drawn])),
        torch.from_numpy(np.stack([one[1] for one in drawn])),
        [one[2] for one in drawn],
        [one[3] for one in drawn],
    )


def draw_shots(
    rng: Rng, frames: int, scenes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[int]]:
    """Per frame the scene, the look (to and fro where a shot outlasts its looks), and the number of the shot."""
    there_and_back = np.array([*range(LOOKS), *range(LOOKS - 2, 0, -1)])
    shown, looks = np.zeros(frames, np.int64), np.zeros(frames, np.int64)
    cuts: list[int] = []
    while len(cuts) < frames:
        _, low, high = LASTING[rng.choice(len(LASTING), p=[share for share, _, _ in LASTING])]
        length = min(int(rng.integers(low, high)), frames - len(cuts))
        part = slice(len(cuts), len(cuts) + length)
        first = rng.integers(LOOKS)
        if length < LOOKS:
            first = rng.integers(LOOKS - length + 1)
        shown[part] = rng.integers(scenes)
        looks[part] = there_and_back[(first + np.arange(length)) % len(there_and_back)]
        cuts += [cuts[-1] + 1 if cuts else 0] * length
    return shown, looks, cuts


def draw_stamps(rng: Rng, frames: int) -> list[str]:
    """The time texts of successive frames, from some time on at some pace."""
    begins = 0.0 if rng.random() < 0.3 else float(rng.uniform(0, 4 * 3600))
    pace = 1.0 if rng.random() < 0.5 else float(np.exp(rng.uniform(np.log(0.5), np.log(30))))
    return [clock_text(begins + pace * number) for number in range(frames)]
