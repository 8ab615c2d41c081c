"""Stage 1: teach the vision tower and the projector to see.

What moves: pictures of known scenes go through the model's own video path to its frame tokens; two linear heads read a
kind and a colour from every token; the loss asks each token that lies on a sprite for that sprite, and every other
token for "nothing". The heads are thrown away afterwards: what stays is a tower whose tokens say what is where, which
the text model can then learn to read.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration

from streams.scene import COLOURS, KINDS, Scene, draw_scene, render

HUES = tuple(COLOURS)
SIZES = ((160, 120), (192, 108), (128, 128), (240, 180), (320, 240))
_SHRINK = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


@dataclass(frozen=True, slots=True)
class Pictures:
    """A batch of pictures (B, 3, S, S) in -1..1 and, per token (B, N), the kind and the colour there;
    the last class is nothing.
    """

    pixels: Tensor
    kinds: Tensor
    colours: Tensor


def photograph(
    rng: np.random.Generator, scene: Scene, seconds: float, side: int
) -> npt.NDArray[np.uint8]:
    """The scene as a camera would deliver it: drawn at some size, lit, blurred, compressed, and shrunk to (side, side)."""
    image = render(scene, seconds, SIZES[rng.integers(len(SIZES))])
    if rng.random() < 0.5:
        gain, offset = rng.uniform(0.85, 1.12), rng.uniform(-12, 12)
        image = np.clip(image.astype(np.float32) * gain + offset, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (3, 3), 0).astype(np.uint8)
    if rng.random() < 0.5:
        _, packed = cv2.imencode(
            ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
        )
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED), np.uint8)
    small = cv2.resize(image, (side, side), interpolation=_SHRINK[rng.integers(len(_SHRINK))])
    return small.astype(np.uint8)


def token_labels(
    scene: Scene, seconds: float, grid: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Per token of a (grid, grid) frame the index of the kind and of the colour there:
    a sprite owns the tokens that it covers.
    """
    kinds = np.full((grid, grid), len(KINDS))
    colours = np.full((grid, grid), len(HUES))
    middle = (np.arange(grid) + 0.5) / grid
    for sprite in scene.sprites:
        x, y = sprite.centre_at(seconds)
        near = np.maximum(abs(middle[None, :] - x), abs(middle[:, None] - y)) < max(
            sprite.radius * 0.7, 0.5 / grid
        )
        kinds[near] = KINDS.index(sprite.kind)
        colours[near] = HUES.index(sprite.colour)
    return kinds.flatten(), colours.flatten()


def draw_pictures(rng: np.random.Generator, count: int, *, side: int, grid: int) -> Pictures:
    """So many pictures of new scenes with their labels."""
    images, kinds, colours = [], [], []
    for _ in range(count):
        scene, seconds = draw_scene(rng), float(rng.uniform(0, 10))
        images.append(photograph(rng, scene, seconds, side))
        kind, colour = token_labels(scene, seconds, grid)
        kinds.append(kind)
        colours.append(colour)
    return Pictures(
        to_pixels(np.stack(images)),
        torch.from_numpy(np.stack(kinds)),
        torch.from_numpy(np.stack(colours)),
    )


class PicturePool:
    """A rolling pool: every draw replaces the oldest few pictures by new ones and takes a batch at random from the rest.

    Drawing is as dear as learning on two cores; so a picture is seen a few times before it goes.
    """

    def __init__(self, rng: np.random.Generator, size: int, *, side: int, grid: int) -> None:
        self._rng, self._side, self._grid, self._next = rng, side, grid, 0
        self._pool = draw_pictures(rng, size, side=side, grid=grid)

    def draw(self, count: int, fresh: int) -> Pictures:
        """A batch of `count` pictures after `fresh` new ones came in."""
        new = draw_pictures(self._rng, fresh, side=self._side, grid=self._grid)
        size = len(self._pool.kinds)
        places = torch.arange(self._next, self._next + fresh) % size
        self._next = (self._next + fresh) % size
        for old, fill in (
            (self._pool.pixels, new.pixels),
            (self._pool.kinds, new.kinds),
            (self._pool.colours, new.colours),
        ):
            old[places] = fill
        chosen = torch.from_numpy(self._rng.integers(size, size=count))
        return Pictures(
            self._pool.pixels[chosen], self._pool.kinds[chosen], self._pool.colours[chosen]
        )


def to_pixels(images: npt.NDArray[np.uint8]) -> Tensor:
    """RGB pictures (B, S, S, 3) uint8 -> the tower's input (B, 3, S, S) in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def frame_tokens(model: LlavaOnevisionForConditionalGeneration, pixels: Tensor) -> Tensor:
    """The model's own video path: (B, 3, S, S) -> (B, N, hidden), without the newline that it appends to a clip."""
    features: Tensor = model.get_video_features(pixels[None]).pooler_output[0]
    return features[:-1].reshape(pixels.shape[0], -1, features.shape[-1])


class Probe(nn.Module):
    """The two linear readers of a token."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.kind = nn.Linear(hidden, len(KINDS) + 1)
        self.colour = nn.Linear(hidden, len(HUES) + 1)

    def loss(self, tokens: Tensor, pictures: Pictures) -> Tensor:
        """Cross-entropy over all tokens, those with something on them weighted as much as all the empty ones together."""
        there = pictures.kinds < len(KINDS)
        weight = torch.where(there, 0.5 / there.sum(), 0.5 / (~there).sum())
        kind = nn.functional.cross_entropy(
            self.kind(tokens).float().flatten(0, 1), pictures.kinds.flatten(), reduction="none"
        )
        colour = nn.functional.cross_entropy(
            self.colour(tokens).float().flatten(0, 1), pictures.colours.flatten(), reduction="none"
        )
        return ((kind + colour) * weight.flatten()).sum()

    @torch.no_grad()
    def accuracy(self, tokens: Tensor, pictures: Pictures) -> tuple[float, float]:
        """The share of sprites whose kind, and whose colour, is read right from the token they are centred on."""
        there = pictures.kinds < len(KINDS)
        kind = (self.kind(tokens).argmax(-1) == pictures.kinds)[there].float().mean()
        colour = (self.colour(tokens).argmax(-1) == pictures.colours)[there].float().mean()
        return float(kind), float(colour)


def cosine(step: int, steps: int, peak: float, warmup: int = 50) -> float:
    """Learning rate at a step: linear warm-up, then a cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (
        0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    )


def train_vision(
    model: LlavaOnevisionForConditionalGeneration,
    *,
    steps: int,
    seed: int,
    batch: int = 96,
    pool_size: int = 4096,
    peak: float = 1.2e-3,
    log: Callable[[str], None] = print,
) -> None:
    """Train tower and projector for so many steps; the rest of the model stays as it is."""
    rng = np.random.default_rng(seed)
    side = model.config.vision_config.image_size
    grid = math.ceil(side // model.config.vision_config.patch_size / 2)
    pool = PicturePool(rng, pool_size, side=side, grid=grid)
    probe = Probe(model.config.text_config.hidden_size)
    parameters = [
        *model.model.vision_tower.parameters(),
        *model.model.multi_modal_projector.parameters(),
        *probe.parameters(),
    ]
    optimizer = torch.optim.AdamW(
        parameters, lr=peak, betas=(0.9, 0.98), weight_decay=0.02, fused=True
    )
    began = time.monotonic()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, peak)
        pictures = pool.draw(batch, batch // 4)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = frame_tokens(model, pictures.pixels)
            loss = probe.loss(tokens, pictures)
        descend(optimizer, parameters, loss)
        if step % 50 == 0:
            with torch.autocast("cpu", torch.bfloat16):
                kind, colour = probe.accuracy(tokens.detach(), pictures)
            minutes = (time.monotonic() - began) / 60
            log(
                f"vision step {step}/{steps} {minutes:.1f} min loss {loss.item():.3f} kind {kind:.3f} colour {colour:.3f}"
            )


def descend(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], loss: Tensor) -> None:
    """One step down the gradient, its length clipped."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
