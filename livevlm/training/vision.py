"""Stage 1: teach the vision tower and the projector to see.

What moves: pictures of known scenes go through the model's own video path to its frame tokens; linear heads read from
every token a kind, a colour and how far away the centre of the thing is; the loss asks each token that lies on a sprite
for that sprite, and every other token for "nothing". The heads are thrown away afterwards: what stays is a tower whose
tokens say what is where, which the text model can then learn to read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm.training.camera import film
from livevlm.training.optimize import Descent, cosine
from livevlm.training.run import Run
from livevlm.training.views import GONE, PLAIN
from streams.scene import COLOURS, KINDS, Scene
from streams.staging import Pair, draw_scene

HUES = tuple(COLOURS)
UNSURE = -100  # a token on a thing half in view: neither the thing nor nothing is asked of it
LOOKS = 3  # pictures taken of one scene
SCENE_S = 6.0
FALSE_ORDERS = tuple(permutations(range(3)))[1:]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures (B, S, S, 3) uint8 and, per token (B, N), the kind and the colour there, the last class being nothing,
    and (B, N, 2) the way from the token's middle to the thing's centre.
    """

    images: Tensor
    kinds: Tensor
    colours: Tensor
    ways: Tensor

    def take(self, places: Tensor) -> Pictures:
        """Some of them."""
        return Pictures(
            self.images[places], self.kinds[places], self.colours[places], self.ways[places]
        )

    def to(self, device: torch.device) -> Pictures:
        """The same on a device."""
        return Pictures(
            self.images.to(device),
            self.kinds.to(device),
            self.colours.to(device),
            self.ways.to(device),
        )


def token_labels(
    scene: Scene, seconds: float, grid: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Per token of a (grid, grid) frame the kind, the colour, and the way to the centre of what is there: a token belongs to
    the nearest of the sprites that reach it.
    """
    kinds = np.full((grid, grid), len(KINDS))
    colours = np.full((grid, grid), len(HUES))
    ways = np.zeros((grid, grid, 2), np.float32)
    nearest = np.full((grid, grid), np.inf)
    middle = (np.arange(grid) + 0.5) / grid
    for sprite in scene.sprites:
        share = scene.visible(sprite, seconds)
        (x, y), (wide, high) = sprite.centre_at(seconds), sprite.half
        dx, dy = np.broadcast_arrays(x - middle[None, :], y - middle[:, None])
        far = np.hypot(dx, dy)
        reached = (abs(dx) < max(wide * 0.75, 0.51 / grid)) & (
            abs(dy) < max(high * 0.75, 0.51 / grid)
        )
        mine = reached & (far < nearest)
        if share <= GONE:
            continue
        sure = share >= PLAIN
        kinds[mine] = KINDS.index(sprite.kind) if sure else UNSURE
        colours[mine] = HUES.index(sprite.colour) if sure else UNSURE
        ways[mine] = np.stack((dx, dy), axis=-1)[mine]
        nearest[mine] = far[mine]
    return kinds.flatten(), colours.flatten(), ways.reshape(-1, 2)


def draw_pictures(
    rng: np.random.Generator, scenes: int, pairs: Sequence[Pair], *, side: int, grid: int
) -> Pictures:
    """LOOKS pictures of each of so many new scenes, with their labels."""
    images: list[npt.NDArray[np.uint8]] = []
    labels = []
    for _ in range(scenes):
        scene = draw_scene(rng, pairs)
        moments = np.sort(rng.uniform(0, SCENE_S, size=LOOKS)).tolist()
        images += film(rng, scene, moments, side)
        labels += [token_labels(scene, moment, grid) for moment in moments]
    kinds, colours, ways = (np.stack(part) for part in zip(*labels, strict=True))
    return Pictures(
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(kinds),
        torch.from_numpy(colours),
        torch.from_numpy(ways),
    )


def recoloured(rng: np.random.Generator, pictures: Pictures, share: float) -> Pictures:
    """The same with a share of the pictures in false colours: channels exchanged, inverted or both, of which no colour is
    asked. So a kind is seen in colours that it is never shown in, and learnt apart from them.
    """
    images, colours = pictures.images.clone(), pictures.colours.clone()
    for place in np.flatnonzero(rng.random(len(images)) < share):
        # Of the six orders of the channels, one leaves the picture as it was.
        order = FALSE_ORDERS[rng.integers(len(FALSE_ORDERS))]
        image = images[place][..., list(order)]
        images[place] = 255 - image if rng.random() < 0.3 else image
        there = colours[place] < len(HUES)
        colours[place] = torch.where(there, UNSURE, colours[place])
    return replace(pictures, images=images, colours=colours)


class PicturePool:
    """A rolling pool: with every step a block of new pictures replaces the oldest one, and a batch is taken at random.

    The more blocks, the more often a picture is seen before it goes. Block number n follows from (seed, n), so the pool of
    any step can be made again.
    """

    def __init__(
        self, seed: int, pairs: Sequence[Pair], *, blocks: int, scenes: int, side: int, grid: int
    ) -> None:
        self._seed, self._pairs, self._blocks = seed, pairs, blocks
        self._scenes, self._side, self._grid = scenes, side, grid
        self._pool: Pictures | None = None
        self._next = 0

    def batch(self, step: int, count: int) -> Pictures:
        """The batch of a step; the pool then holds the blocks step .. step + blocks - 1."""
        if self._pool is None:
            self._next = step
        while self._next < step + self._blocks:
            self._put(self._next, self._block(self._next))
            self._next += 1
        assert self._pool is not None and self._next == step + self._blocks, "steps must follow"
        rng = np.random.default_rng((self._seed, 1, step))
        size = self._blocks * self._scenes * LOOKS
        return self._pool.take(torch.from_numpy(rng.integers(size, size=count)))

    def _block(self, number: int) -> Pictures:
        rng = np.random.default_rng((self._seed, 0, number))
        return draw_pictures(rng, self._scenes, self._pairs, side=self._side, grid=self._grid)

    def _put(self, number: int, block: Pictures) -> None:
        size = self._scenes * LOOKS
        if self._pool is None:
            self._pool = block.take(torch.arange(size).repeat(self._blocks))
        start = number % self._blocks * size
        for pool, new in (
            (self._pool.images, block.images),
            (self._pool.kinds, block.kinds),
            (self._pool.colours, block.colours),
            (self._pool.ways, block.ways),
        ):
            pool[start : start + size] = new


def to_pixels(images: Tensor) -> Tensor:
    """RGB pictures (B, S, S, 3) uint8 -> the tower's input (B, 3, S, S) in -1..1."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def frame_tokens(model: LlavaOnevisionForConditionalGeneration, pixels: Tensor) -> Tensor:
    """The model's own video path: (B, 3, S, S) -> (B, N, hidden), without the newline that it appends to a clip."""
    features: Tensor = model.get_video_features(pixels[None]).pooler_output[0]
    return features[:-1].reshape(pixels.shape[0], -1, features.shape[-1])


class Probe(nn.Module):
    """The linear readers of a token."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.kind = nn.Linear(hidden, len(KINDS) + 1)
        self.colour = nn.Linear(hidden, len(HUES) + 1)
        self.way = nn.Linear(hidden, 2)

    def losses(self, tokens: Tensor, pictures: Pictures) -> tuple[Tensor, dict[str, float]]:
        """The loss, tokens with something on them weighted as much as all the empty ones together, and the shares of tokens on
        sprites whose kind, and whose colour, is read right.
        """
        there = (pictures.kinds >= 0) & (pictures.kinds < len(KINDS))
        empty = pictures.kinds == len(KINDS)
        weight = torch.where(there, 0.5 / there.sum(), 0.0) + torch.where(
            empty, 0.5 / empty.sum(), 0.0
        )
        said = [head(tokens).float() for head in (self.kind, self.colour)]
        loss = tokens.new_zeros((), dtype=torch.float32)
        for logits, labels in zip(said, (pictures.kinds, pictures.colours), strict=True):
            each = nn.functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=UNSURE
            )
            loss = loss + (each * weight.flatten()).sum()
        way = self.way(tokens).float() - pictures.ways
        loss = loss + 40 * (way.square().sum(-1) * weight)[there].sum()
        with torch.no_grad():
            kind, colour = (
                float((logits.argmax(-1) == labels)[there & (labels >= 0)].float().mean())
                for logits, labels in zip(said, (pictures.kinds, pictures.colours), strict=True)
            )
            off = float(way[there].square().mean().sqrt())
        return loss, {"loss": float(loss.detach()), "kind": kind, "colour": colour, "off": off}


def seeing_parameters(
    model: LlavaOnevisionForConditionalGeneration,
) -> Iterable[tuple[str, nn.Parameter]]:
    """The tower's and the projector's, by name."""
    for name, one in model.model.named_parameters():
        if name.startswith(("vision_tower", "multi_modal_projector")):
            yield name, one


def train_vision(
    model: LlavaOnevisionForConditionalGeneration,
    run: Run,
    *,
    steps: int,
    seed: int,
    pairs: Sequence[Pair],
    name: str = "vision",
    batch: int = 96,
    reuse: int = 4,
    peak: float = 2e-3,
    probe: Probe | None = None,
    false_colours: float = 0.0,
) -> Probe:
    """Train tower and projector for so many steps, with the probe of an earlier stage if there is one; returns the probe. The
    rest of the model stays as it is.

    reuse: how often a picture is seen, on average. Seeing pictures again is cheap and teaches fast, and in the end the tower
    knows the pictures that it was shown better than new ones: so the last steps should not. false_colours: the share of
    pictures that are recoloured.
    """
    side = model.config.vision_config.image_size
    grid = math.ceil(side // model.config.vision_config.patch_size / 2)
    fresh = batch // (reuse * LOOKS)
    pool = PicturePool(seed, pairs, blocks=48 * reuse, scenes=fresh, side=side, grid=grid)
    probe = probe or Probe(model.config.text_config.hidden_size)
    whole = nn.ModuleDict({"model": model, "probe": probe}).to(run.device)
    named = [*seeing_parameters(model), *probe.named_parameters(prefix="embed_probe")]
    descent = Descent(named)

    def learn(step: int) -> dict[str, float]:
        drawn = np.random.default_rng((seed, 2, step))
        pictures = recoloured(drawn, pool.batch(step, batch), false_colours).to(run.device)
        with run.autocast():
            tokens = frame_tokens(model, to_pixels(pictures.images))
            loss, figures = probe.losses(tokens, pictures)
        descent.step(loss, cosine(step, steps, peak))
        return figures

    run.stage(name, whole, descent, steps, learn)
    return probe
