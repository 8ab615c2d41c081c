"""Render: a scene at a moment -> an RGB picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streams.opencv import cv2
from streams.scene import COLOURS, DIGITS, SIGNS, Point, Rgb, Scene, Sprite

Image = npt.NDArray[np.uint8]
Centre = npt.NDArray[np.float64]

# Polygons in a box from -1 to 1, y downwards.
_POLYGONS: dict[str, tuple[Point, ...]] = {
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0.0, -0.95), (0.95, 0.85), (-0.95, 0.85)),
    "diamond": ((0.0, -1.0), (0.7, 0.0), (0.0, 1.0), (-0.7, 0.0)),
    "house": ((0.0, -1.0), (0.95, -0.15), (0.65, -0.15), (0.65, 0.9), (-0.65, 0.9), (-0.65, -0.15), (-0.95, -0.15)),
    "bolt": ((0.35, -1.0), (-0.65, 0.15), (-0.08, 0.15), (-0.35, 1.0), (0.65, -0.25), (0.08, -0.25)),
    "cross": (
        (-0.3, -0.95), (0.3, -0.95), (0.3, -0.3), (0.95, -0.3), (0.95, 0.3), (0.3, 0.3),
        (0.3, 0.95), (-0.3, 0.95), (-0.3, 0.3), (-0.95, 0.3), (-0.95, -0.3), (-0.3, -0.3),
    ),
    "arrow": ((-0.95, -0.3), (0.1, -0.3), (0.1, -0.85), (0.98, 0.0), (0.1, 0.85), (0.1, 0.3), (-0.95, 0.3)),
}  # fmt: skip
_LIGHT_PLATES = ("yellow", "pink", "cyan", "white", "orange")


def render(scene: Scene, seconds: float, size: tuple[int, int]) -> Image:
    """The scene after so many seconds as an RGB picture, (height, width, 3) uint8; `size` is (width, height)."""
    width, height = size
    image = _background(scene, width, height)
    shift = scene.offset_at(seconds)
    for sprite in scene.sprites:
        _draw_sprite(image, sprite, seconds, shift)
    if scene.pillar is not None:
        left, top, right, bottom = scene.pillar
        corner, other = (
            (round(left * width), round(top * height)),
            (round(right * width), round(bottom * height)),
        )
        dark = tuple(int(value * 0.55) for value in scene.ground[0])
        cv2.rectangle(image, corner, other, dark, -1)
    if scene.light != (1.0, 1.0):
        gain = np.linspace(*scene.light, width, dtype=np.float32)[None, :, None]
        image = np.minimum(image * gain, 255).astype(np.uint8)
    grain = np.random.default_rng(scene.grain_seed + int(seconds * 1000)).integers(
        0, 9, image.shape, dtype=np.uint8
    )
    return cv2.subtract(cv2.add(image, grain), np.full_like(image, 4))  # type: ignore[return-value]


def _background(scene: Scene, width: int, height: int) -> Image:
    one, two = (np.array(colour, dtype=np.float32) for colour in scene.ground)
    if scene.texture == "plain":
        return np.full((height, width, 3), one, np.uint8)
    mix = np.broadcast_to(_mix(scene, width, height), (height, width))
    return (one + (two - one) * mix[..., None]).astype(np.uint8)


def _mix(scene: Scene, width: int, height: int) -> npt.NDArray[np.float32]:
    """How much of the second colour is where: (height, width), or what broadcasts to it, 0..1."""
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    repeats = 5 + scene.grain_seed % 6
    if scene.texture == "gradient":
        return ((x + y) / 2).astype(np.float32)
    if scene.texture == "stripes":
        return ((x * repeats) % 1 > 0.5).astype(np.float32)
    if scene.texture == "bars":
        return ((y * repeats) % 1 > 0.5).astype(np.float32)
    if scene.texture == "checks":
        return (((x * repeats) % 1 > 0.5) ^ ((y * repeats) % 1 > 0.5)).astype(np.float32)
    if scene.texture == "dots":
        return (((x * repeats) % 1 - 0.5) ** 2 + ((y * repeats) % 1 - 0.5) ** 2 < 0.06).astype(
            np.float32
        )
    if scene.texture == "bricks":
        row = np.floor(y * repeats)
        mortar = ((y * repeats) % 1 < 0.12) | ((x * repeats / 2 + row / 2) % 1 < 0.06)
        return mortar.astype(np.float32)
    coarse = np.random.default_rng(scene.grain_seed).random((5, 6), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _draw_sprite(image: Image, sprite: Sprite, seconds: float, shift: Point) -> None:
    height, width = image.shape[:2]
    x, y = sprite.centre_at(seconds)
    centre = np.array([(x + shift[0]) * width, (y + shift[1]) * height])
    radius = sprite.radius * min(width, height)
    colour = COLOURS[sprite.colour]
    if sprite.kind in SIGNS:
        _draw_sign(image, sprite, centre, radius)
    elif sprite.kind in DIGITS:
        _draw_text(image, sprite.kind, centre, 2.1 * radius, colour, max(2, round(radius * 0.3)))
    else:
        for outline, ink in _layers(sprite, colour):
            _fill_shape(image, sprite, centre, radius * outline, ink)
        if sprite.fill == "hatched":
            _hatch(image, sprite, centre, radius, colour)


def _layers(sprite: Sprite, colour: Rgb) -> tuple[tuple[float, Rgb], ...]:
    """What is filled, from the outside in: (share of the radius, colour)."""
    if sprite.fill != "outlined" or sprite.kind in ("ring", "moon"):
        return ((1.0, colour),)
    dark = sum(colour) < 380
    return ((1.0, _toward(colour, 255 if dark else 0, 0.75)), (0.82, colour))


def _toward(colour: Rgb, value: int, share: float) -> Rgb:
    red, green, blue = (round(part + (value - part) * share) for part in colour)
    return red, green, blue


def _fill_shape(image: Image, sprite: Sprite, centre: Centre, radius: float, colour: Rgb) -> None:
    if sprite.kind == "circle":
        cv2.circle(image, _fixed(centre), round(radius * 0.95 * 16), colour, -1, cv2.LINE_AA, 4)
    elif sprite.kind == "ring":
        wide = max(2, round(radius * 0.42))
        cv2.circle(image, _fixed(centre), round(radius * 0.75 * 16), colour, wide, cv2.LINE_AA, 4)
    else:
        corners = turned(sprite) * radius + centre
        cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _hatch(image: Image, sprite: Sprite, centre: Centre, radius: float, colour: Rgb) -> None:
    """Fine slanting lines inside the shape, a little darker or lighter than it."""
    mask = np.zeros(image.shape[:2], np.uint8)
    _fill_shape(mask, sprite, centre, radius * 0.95, (255, 255, 255))
    lines = np.zeros_like(mask)
    step, reach = max(3, round(radius * 0.4)), round(radius * 1.5)
    x, y = (round(float(part)) for part in centre)
    for along in range(-2 * reach, 2 * reach, step):
        cv2.line(lines, (x + along - reach, y + reach), (x + along + reach, y - reach), (255,), 1)
    image[(lines & mask) > 0] = _toward(colour, 0 if sum(colour) > 200 else 255, 0.3)


def turned(sprite: Sprite) -> npt.NDArray[np.float64]:
    """The outline of a shape in a box from -1 to 1, turned by its angle: (N, 2)."""
    angle = np.deg2rad(sprite.angle)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    outline: npt.NDArray[np.float64] = np.array(_outline(sprite.kind)) @ turn
    return outline


def _fixed(point: Centre) -> tuple[int, int]:
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
    if kind == "moon":
        # A disc with a smaller one cut out of its right side: both pass through the two tips.
        outer, inner = (
            np.linspace(0.75, 2 * np.pi - 0.75, 30),
            np.linspace(-1.38, -2 * np.pi + 1.38, 24),
        )
        x = np.concatenate((np.cos(outer), 0.6 + 0.69 * np.cos(inner)))
        y = np.concatenate((np.sin(outer), 0.69 * np.sin(inner)))
        return tuple(zip(x * 0.95 + 0.1, y * 0.95, strict=True))
    return _POLYGONS[kind]


def _draw_text(
    image: Image,
    text: str,
    centre: Centre,
    high: float,
    colour: Rgb,
    thickness: int,
    wide: float = 0.0,
) -> None:
    """Text centred at a point: so high, or as high as lets it be so wide."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    (one_wide, one_high), _ = cv2.getTextSize(text, font, 1.0, 1)
    scale = min(high / one_high, wide / one_wide if wide else np.inf)
    (wide_px, high_px), _ = cv2.getTextSize(text, font, scale, thickness)
    origin = (round(float(centre[0]) - wide_px / 2), round(float(centre[1]) + high_px / 2))
    cv2.putText(image, text, origin, font, scale, colour, thickness, cv2.LINE_AA)


def _draw_sign(image: Image, sprite: Sprite, centre: Centre, radius: float) -> None:
    """A plate with a word on it, black on light plates and white on dark ones."""
    half = np.array([1.35 * radius, 0.6 * radius])
    corner, other = (
        tuple(np.round(part).astype(int).tolist()) for part in (centre - half, centre + half)
    )
    cv2.rectangle(image, corner, other, COLOURS[sprite.colour], -1)
    ink = (10, 10, 10) if sprite.colour in _LIGHT_PLATES else (245, 245, 245)
    if sprite.fill == "outlined":
        cv2.rectangle(image, corner, other, ink, max(1, round(radius * 0.07)))
    word = sprite.kind.removesuffix(" sign").upper()
    _draw_text(image, word, centre, 0.72 * radius, ink, max(1, round(radius * 0.12)), 2.4 * radius)
