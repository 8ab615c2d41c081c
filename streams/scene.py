"""Scene: moving pictures with known content. What the `test:` source shows, the demo asks about and the bundled model is
trained on.

A scene holds up to five sprites, each of a kind (a shape, a digit, a sign with a word) and a colour, standing or moving
over a background, at times behind a pillar, seen by a camera that may shake. Everything follows from the numbers in the
scene: the same scene draws the same pictures, always. `streams.staging` makes scenes up, `streams.render` draws them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float]
Rgb = tuple[int, int, int]
Box = tuple[float, float, float, float]

SHAPES = (
    "circle", "square", "triangle", "star", "cross", "ring", "heart", "arrow", "diamond", "moon", "house", "bolt",
)  # fmt: skip
DIGITS = tuple("0123456789")
WORDS = ("stop", "exit", "open", "taxi", "cafe", "park", "gate", "push", "lift", "shop")
SIGNS = tuple(f"{word} sign" for word in WORDS)
KINDS = SHAPES + DIGITS + SIGNS
COLOURS = {
    "red": (214, 32, 38),
    "green": (34, 150, 62),
    "blue": (38, 74, 214),
    "yellow": (240, 214, 36),
    "purple": (126, 40, 170),
    "orange": (244, 126, 20),
    "pink": (246, 136, 186),
    "cyan": (60, 206, 220),
    "white": (246, 246, 246),
    "black": (14, 14, 16),
}
PAIRS = tuple((kind, colour) for kind in KINDS for colour in COLOURS)
TEXTURES = ("plain", "gradient", "stripes", "bars", "checks", "dots", "bricks", "clouds")
FILLS = ("plain", "outlined", "hatched")
DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
# A sprite that bounces turns where its centre is so near the edge.
EDGE = 0.17


@dataclass(frozen=True, slots=True)
class Sprite:
    """One thing. Start (x, y), velocity a second and radius are fractions of the frame (radius: of its shorter side).

    passes: it goes through the view and out of it, where others turn at the edges. angle: degrees, of shapes alone.
    """

    kind: str
    colour: str
    start: Point
    velocity: Point = (0.0, 0.0)
    radius: float = 0.2
    angle: float = 0.0
    fill: str = "plain"
    passes: bool = False

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind
        assert self.colour in COLOURS, self.colour
        assert self.fill in FILLS, self.fill

    @property
    def name(self) -> str:
        """What one would call it: "red star", "blue 7", "green exit sign"."""
        return f"{self.colour} {self.kind}"

    def centre_at(self, seconds: float) -> Point:
        """The centre after so many seconds of the scene."""
        x, y = (
            start + speed * seconds for start, speed in zip(self.start, self.velocity, strict=True)
        )
        if self.passes:
            return x, y
        return (
            _bounce(x) if self.velocity[0] else x,
            _bounce(y) if self.velocity[1] else y,
        )

    @property
    def half(self) -> Point:
        """Half its width and height, as fractions of a square frame."""
        if self.kind in SIGNS:
            return self.radius * 1.35, self.radius * 0.62
        return self.radius * 0.9, self.radius * 0.9


def _bounce(place: float) -> float:
    """Back and forth between the edges."""
    span = 1 - 2 * EDGE
    travelled = (place - EDGE) % (2 * span)
    return EDGE + (travelled if travelled <= span else 2 * span - travelled)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is in view for a while.

    ground: the background's two colours. pillar: a box (left, top, right, bottom) that hides what passes behind it.
    light: gain at the left and at the right edge. shake: how far the camera trembles, a fraction of the frame.
    """

    sprites: tuple[Sprite, ...]
    ground: tuple[Rgb, Rgb]
    texture: str
    grain_seed: int
    pillar: Box | None = None
    light: Point = (1.0, 1.0)
    shake: float = 0.0

    def visible(self, sprite: Sprite, seconds: float) -> float:
        """The share of a sprite's box that is inside the frame and not behind the pillar."""
        (x, y), (wide, high) = sprite.centre_at(seconds), sprite.half
        box = (x - wide, y - high, x + wide, y + high)
        inside = _cut(box, (0.0, 0.0, 1.0, 1.0))
        if inside is None:
            return 0.0
        hidden = self.pillar and _cut(inside, self.pillar)
        return (_area(inside) - (_area(hidden) if hidden else 0.0)) / _area(box)

    def offset_at(self, seconds: float) -> Point:
        """How far the trembling camera has moved the picture, as fractions of the frame."""
        phase = self.grain_seed % 97
        return (
            self.shake * math.sin(17.3 * seconds + phase),
            self.shake * math.sin(23.1 * seconds + 2 * phase),
        )


def _cut(one: Box, two: Box) -> Box | None:
    left, top = max(one[0], two[0]), max(one[1], two[1])
    right, bottom = min(one[2], two[2]), min(one[3], two[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
