"""Scene: a picture with known content. What the `test:` source shows, the demo asks about and the bundled model is trained on.

A scene holds one or two sprites, each of a kind (a shape or a digit) and a colour, drifting slowly over a textured
background. Everything follows from the seed of the random generator: the same seed draws the same scene, always.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Point = tuple[float, float]

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "arrow")
DIGITS = tuple("0123456789")
KINDS = SHAPES + DIGITS
COLOURS = {
    "red": (214, 32, 38),
    "green": (34, 150, 62),
    "blue": (38, 74, 214),
    "yellow": (240, 214, 36),
    "purple": (134, 46, 168),
    "orange": (244, 132, 24),
    "white": (246, 246, 246),
    "black": (14, 14, 16),
}

# Polygons in a box from -1 to 1, y downwards.
_POLYGONS: dict[str, tuple[Point, ...]] = {
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0.0, -0.95), (0.95, 0.85), (-0.95, 0.85)),
    "cross": (
        (-0.3, -0.95), (0.3, -0.95), (0.3, -0.3), (0.95, -0.3), (0.95, 0.3), (0.3, 0.3),
        (0.3, 0.95), (-0.3, 0.95), (-0.3, 0.3), (-0.95, 0.3), (-0.95, -0.3), (-0.3, -0.3),
    ),
    "arrow": ((-0.95, -0.3), (0.1, -0.3), (0.1, -0.85), (0.98, 0.0), (0.1, 0.85), (0.1, 0.3), (-0.95, 0.3)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sprite:
    """One thing in view. Centre, drift a second and radius are fractions of the frame (radius: of its shorter side)."""

    kind: str
    colour: str
    centre: Point
    drift: Point
    radius: float

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind
        assert self.colour in COLOURS, self.colour

    @property
    def name(self) -> str:
        """What one would call it: "red star", "blue 7"."""
        return f"{self.colour} {self.kind}"

    def centre_at(self, seconds: float) -> Point:
        """The centre after so many seconds of the scene, bouncing inside its half of the frame."""
        x = self.centre[0] + 0.04 * np.sin(self.drift[0] * seconds)
        y = self.centre[1] + 0.06 * np.sin(self.drift[1] * seconds)
        return float(x), float(y)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is in view for a while: sprites over a background of two colours, a texture and a grain."""

    sprites: tuple[Sprite, ...]
    ground: tuple[tuple[int, int, int], tuple[int, int, int]]
    texture: str
    grain_seed: int


def draw_scene(rng: np.random.Generator, sprites: int = 0) -> Scene:
    """A random scene of so many sprites (0: one, or sometimes two), of different kinds and different colours."""
    count = sprites or (2 if rng.random() < 0.35 else 1)
    kinds = rng.choice(len(KINDS), size=count, replace=False)
    colours = rng.choice(len(COLOURS), size=count, replace=False)
    names = [
        (KINDS[kind], list(COLOURS)[colour]) for kind, colour in zip(kinds, colours, strict=True)
    ]
    return place(rng, names)


def place(rng: np.random.Generator, names: list[tuple[str, str]]) -> Scene:
    """A scene that shows the named (kind, colour) pairs, one or two of them, placed at random."""
    count = len(names)
    assert 1 <= count <= 2, names
    sprites = []
    for slot, (kind, colour) in enumerate(names):
        left, right = (0.28, 0.72) if count == 1 else ((0.24, 0.28) if slot == 0 else (0.72, 0.76))
        sprites.append(
            Sprite(
                kind=kind,
                colour=colour,
                centre=(rng.uniform(left, right), rng.uniform(0.32, 0.68)),
                drift=(rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)),
                radius=rng.uniform(0.17, 0.21) if count == 2 else rng.uniform(0.18, 0.28),
            )
        )
    base = rng.integers(70, 190) + rng.integers(-22, 23, size=3)
    other = base + rng.integers(-30, 31) + rng.integers(-8, 9, size=3)
    texture = str(rng.choice(["plain", "gradient", "stripes", "checks"]))
    return Scene(tuple(sprites), (_rgb(base), _rgb(other)), texture, int(rng.integers(2**31)))


def _rgb(colour: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in np.clip(colour, 0, 255))
    return red, green, blue


def render(scene: Scene, seconds: float, size: tuple[int, int]) -> Image:
    """The scene after so many seconds as an RGB picture, (height, width, 3) uint8; `size` is (width, height)."""
    width, height = size
    image = _background(scene, width, height)
    for sprite in scene.sprites:
        _draw_sprite(image, sprite, seconds)
    grain = np.random.default_rng(scene.grain_seed + int(seconds * 1000)).integers(
        0, 9, image.shape, dtype=np.uint8
    )
    return cv2.subtract(cv2.add(image, grain), np.full_like(image, 4))  # type: ignore[return-value]


def _background(scene: Scene, width: int, height: int) -> Image:
    one, two = (np.array(colour, dtype=np.float32) for colour in scene.ground)
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    if scene.texture == "plain":
        mix = np.zeros((height, width), np.float32)
    elif scene.texture == "gradient":
        mix = ((x + y) / 2).astype(np.float32)
    elif scene.texture == "stripes":
        mix = ((x * 9 + 0 * y) % 1 > 0.5).astype(np.float32)
    else:
        mix = (((x * 6) % 1 > 0.5) ^ ((y * 6) % 1 > 0.5)).astype(np.float32)
    return (one + (two - one) * mix[..., None]).astype(np.uint8)


def _draw_sprite(image: Image, sprite: Sprite, seconds: float) -> None:
    height, width = image.shape[:2]
    cx, cy = sprite.centre_at(seconds)
    centre = np.array([cx * width, cy * height])
    radius = sprite.radius * min(width, height)
    colour = COLOURS[sprite.colour]
    if sprite.kind in DIGITS:
        _draw_digit(image, sprite.kind, centre, radius, colour)
    elif sprite.kind in ("circle", "ring"):
        thickness = -1 if sprite.kind == "circle" else max(2, round(radius * 0.42))
        reach = radius * (0.95 if sprite.kind == "circle" else 0.75)
        cv2.circle(image, _fixed(centre), round(reach * 16), colour, thickness, cv2.LINE_AA, 4)
    else:
        corners = np.array(_outline(sprite.kind)) * radius + centre
        cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _fixed(point: npt.NDArray[np.float64]) -> tuple[int, int]:
    """A point in sixteenths of a pixel, as OpenCV's drawing takes it with shift 4."""
    return round(float(point[0]) * 16), round(float(point[1]) * 16)


def _outline(kind: str) -> tuple[Point, ...]:
    if kind == "star":
        angles = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
        return tuple(zip(np.cos(angles) * reach, np.sin(angles) * reach, strict=True))
    if kind == "heart":
        t = np.linspace(0, 2 * np.pi, 40)
        x = np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
        return tuple(zip(x, y, strict=True))
    return _POLYGONS[kind]


def _draw_digit(
    image: Image,
    digit: str,
    centre: npt.NDArray[np.float64],
    radius: float,
    colour: tuple[int, int, int],
) -> None:
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(2, round(radius * 0.3))
    (_, high), _ = cv2.getTextSize(digit, font, 1.0, 1)
    scale = 2.1 * radius / high
    (wide, high), _ = cv2.getTextSize(digit, font, scale, thickness)
    origin = (round(float(centre[0]) - wide / 2), round(float(centre[1]) + high / 2))
    cv2.putText(image, digit, origin, font, scale, colour, thickness, cv2.LINE_AA)
