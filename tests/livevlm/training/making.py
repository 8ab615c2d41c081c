"""What the tests of training are made of: footage of drawn scenes, a tokenizer, a tiny model, and shots without a film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from livevlm.models.checkpoint import SHAPES, build_model
from livevlm.models.tokenizer import build_tokenizer
from livevlm.timestamps import clock_text
from livevlm.training.bank import LOOKS, Shots
from livevlm.training.corpus import CLOCK, corpus
from livevlm.training.questions import Footage, Rng
from livevlm.training.run import Run
from livevlm.training.views import Thing, View, view_of
from streams.scene import COLOURS, KINDS, PAIRS, SIGNS
from streams.staging import Pair, draw_scene

TINY = replace(SHAPES["tiny"], vocab=640)
TOKENS = 4  # of a frame, at that shape


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with a token for every part of a time."""
    return build_tokenizer(corpus(8), TINY.vocab, CLOCK)


def tiny_model(seed: int = 0) -> LlavaOnevisionForConditionalGeneration:
    """A model of the tiny shape with random weights, always the same."""
    torch.manual_seed(seed)
    return build_model(TINY, tokenizer(), torch.float32)


def run_in(folder: Path, save_every: int = 500) -> Run:
    """A run on the CPU in full precision."""
    return Run(out=folder, device=torch.device("cpu"), precision="fp32", save_every=save_every)


def few_pairs(rng: Rng) -> list[Pair]:
    """Some kinds in some colours: so few that a stream shows a kind in several colours, and several signs of one colour."""
    things = [kind for kind in KINDS if kind not in SIGNS]
    kinds = [*rng.permutation(things)[:5].tolist(), *rng.permutation(SIGNS)[:3].tolist()]
    hues = rng.permutation(list(COLOURS))[:4].tolist()
    return [(kind, hue) for kind in kinds for hue in hues[: 2 if kind in SIGNS else 4]]


def drawn_views(rng: Rng, scenes: int, pairs: Sequence[Pair] = PAIRS) -> list[list[View]]:
    """Scenes as training draws them: what each shows at LOOKS moments, about a second apart."""
    found = []
    for _ in range(scenes):
        scene, apart, begins = draw_scene(rng, pairs), rng.uniform(0.75, 1.25), rng.uniform(0, 1)
        found.append([view_of(scene, begins + apart * look) for look in range(LOOKS)])
    return found


def drawn_footage(rng: Rng) -> Footage:
    """A stream of one to eight shots of a few drawn scenes, some of which come back."""
    pool = drawn_views(rng, 6, few_pairs(rng))
    views: list[View] = []
    cuts: list[int] = []
    for shot in range(int(rng.integers(1, 9))):
        first, length = rng.integers(3), rng.integers(1, LOOKS - 1)
        part = pool[rng.integers(len(pool))][first : first + length]
        views += part
        cuts += [shot] * len(part)
    return Footage(views, cuts, stamps(rng, len(views)))


def wild_footage(rng: Rng) -> Footage:
    """A stream no camera would give: in every frame other things anywhere, some of them half in view."""
    kinds = [*rng.permutation(KINDS[:22])[:3].tolist(), *rng.permutation(SIGNS)[:1].tolist()]
    pairs = [(kind, hue) for kind in kinds for hue in ("red", "blue", "white")]
    views: list[View] = []
    cuts: list[int] = []
    for shot in range(int(rng.integers(1, 7))):
        for _ in range(int(rng.integers(1, 4))):
            names = [pairs[int(rng.integers(len(pairs)))] for _ in range(rng.integers(0, 4))]
            vague = [pairs[int(rng.integers(len(pairs)))] for _ in range(rng.integers(0, 8) // 6)]
            things = [Thing(*name, *rng.random(2).tolist()) for name in names]
            things.sort(key=lambda thing: (int(thing.y * 3), thing.x))
            # A frame may be as the one before it: so some things stay.
            again = views and cuts[-1] == shot and rng.random() < 0.5
            views.append(views[-1] if again else View(tuple(things), tuple(vague)))
            cuts.append(shot)
    return Footage(views, cuts, stamps(rng, len(views)))


def stamps(rng: Rng, frames: int) -> list[str] | None:
    """A time for every frame, or none at all."""
    if rng.random() < 0.4:
        return None
    begins, pace = rng.uniform(0, 9000), rng.uniform(1, 20)
    return [clock_text(begins + pace * number) for number in range(frames)]


@cache
def shots(scenes: int = 24) -> Shots:
    """Scenes whose frame tokens are random numbers."""
    rng = np.random.default_rng(11)
    tokens = rng.normal(size=(scenes, LOOKS, TOKENS, TINY.hidden)).astype(np.float32)
    return Shots(torch.from_numpy(tokens), drawn_views(rng, scenes))
