"""Bank: filmed scenes, encoded once by the trained tower, out of which streams are strung together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm.training.camera import film
from livevlm.training.run import Run
from livevlm.training.views import View, view_of
from livevlm.training.vision import frame_tokens, to_pixels
from streams.staging import Pair, draw_scene

LOOKS = 6  # frames of a scene, about a second apart
BATCH = 120  # pictures that the tower takes at once


@dataclass(frozen=True, slots=True)
class Shots:
    """Scenes as frame tokens (S, LOOKS, N, hidden), and what each look shows."""

    tokens: Tensor
    views: list[list[View]]


def film_scenes(
    rng: np.random.Generator, scenes: int, pairs: Sequence[Pair], side: int
) -> tuple[list[npt.NDArray[np.uint8]], list[list[View]]]:
    """So many new scenes, filmed about once a second from some moment on: LOOKS pictures each, one after the other, and per
    scene what they show.
    """
    images, views = [], []
    for _ in range(scenes):
        scene = draw_scene(rng, pairs)
        apart = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.75, 1.25))
        moments = (rng.uniform(0, 1) + apart * np.arange(LOOKS)).tolist()
        images += film(rng, scene, moments, side)
        views.append([view_of(scene, moment) for moment in moments])
    return images, views


@torch.no_grad()
def film_shots(
    model: LlavaOnevisionForConditionalGeneration,
    run: Run,
    rng: np.random.Generator,
    scenes: int,
    pairs: Sequence[Pair],
) -> Shots:
    """So many new scenes, filmed and encoded."""
    images, views = film_scenes(rng, scenes, pairs, model.config.vision_config.image_size)
    parts = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(np.stack(images[start : start + BATCH])).to(run.device)
        with run.autocast():
            parts.append(frame_tokens(model, to_pixels(batch)).to(torch.bfloat16))
    tokens = torch.cat(parts)
    return Shots(tokens.reshape(scenes, LOOKS, *tokens.shape[1:]), views)


class Bank:
    """A rolling bank: from time to time a block of new scenes takes the place of the oldest one.

    Block number n follows from (seed, n), so the bank of any step can be made again.
    """

    def __init__(
        self,
        model: LlavaOnevisionForConditionalGeneration,
        run: Run,
        seed: int,
        pairs: Sequence[Pair],
        *,
        blocks: int,
        scenes: int,
    ) -> None:
        self._model, self._run, self._seed, self._pairs = model, run, seed, pairs
        self._blocks, self._scenes = blocks, scenes
        self._next: int | None = None
        self._shots: Shots | None = None

    @property
    def shots(self) -> Shots:
        """What it holds; `roll_to` must have been called."""
        assert self._shots is not None
        return self._shots

    def roll_to(self, first: int) -> None:
        """Hold the blocks first .. first + blocks - 1; `first` never falls."""
        if self._next is None:
            self._next = first
        while self._next < first + self._blocks:
            rng = np.random.default_rng((self._seed, 0, self._next))
            block = film_shots(self._model, self._run, rng, self._scenes, self._pairs)
            self._put(self._next % self._blocks, block)
            self._next += 1

    def _put(self, place: int, block: Shots) -> None:
        if self._shots is None:
            size = self._blocks * self._scenes
            tokens = block.tokens.new_zeros(size, *block.tokens.shape[1:])
            self._shots = Shots(tokens, [block.views[0]] * size)
        start = place * self._scenes
        self._shots.tokens[start : start + self._scenes] = block.tokens
        self._shots.views[start : start + self._scenes] = block.views
