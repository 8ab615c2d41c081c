"""Staging: scenes made up at random, or set with named things."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streams.scene import (
    DIRECTIONS,
    EDGE,
    FILLS,
    PAIRS,
    SHAPES,
    SIGNS,
    TEXTURES,
    Box,
    Point,
    Rgb,
    Scene,
    Sprite,
)

Pair = tuple[str, str]
Rng = np.random.Generator
# Radii of things that stand alone, in two lanes, in three lanes, and in the cells of a three by three grid.
RADII = {1: (0.17, 0.28), 2: (0.14, 0.2), 3: (0.12, 0.155), 9: (0.115, 0.15)}
SIGN_RADII = {1: (0.22, 0.3), 2: (0.19, 0.24), 3: (0.17, 0.2)}
LANES = {1: (0.5,), 2: (0.28, 0.72), 3: (0.18, 0.5, 0.82)}
SPEED = (0.08, 0.13)


def draw_scene(rng: Rng, pairs: Sequence[Pair] = PAIRS) -> Scene:
    """A scene of one to five things out of the (kind, colour) pairs: alone, in lanes, or a crowd with repetitions."""
    choice = rng.random()
    if choice < 0.22:
        return _staged(rng, _crowd(rng, pairs))
    count = 1 if choice < 0.58 else 2 if choice < 0.86 else 3
    level = float(rng.uniform(0.3, 0.7)) if count > 1 and rng.random() < 0.5 else None
    sprites = _in_lanes(rng, _different(rng, pairs, count), moving=0.5, level=level)
    return _staged(rng, sprites)


def place(rng: Rng, names: Sequence[Pair], moving: str | None = None) -> Scene:
    """A scene that shows the named (kind, colour) pairs, one to three of them; the first may move in a direction."""
    sprites = _in_lanes(rng, names, moving=0.0)
    if moving is not None:
        first = sprites[0]
        sprites = (
            _mover(rng, first.kind, first.colour, first.radius, moving, first.start, passing=0.0),
            *sprites[1:],
        )
    return _staged(rng, sprites)


def _different(rng: Rng, pairs: Sequence[Pair], count: int) -> list[Pair]:
    """So many pairs, no kind and no colour twice, at most one of them a sign."""
    taken: list[Pair] = []
    while len(taken) < count:
        kind, colour = pairs[int(rng.integers(len(pairs)))]
        fresh = all(kind != one and colour != other for one, other in taken)
        if fresh and not (kind in SIGNS and any(one in SIGNS for one, _ in taken)):
            taken.append((kind, colour))
    return taken


def _in_lanes(
    rng: Rng, names: Sequence[Pair], moving: float, level: float | None = None
) -> tuple[Sprite, ...]:
    """Every thing in a lane of its own, rows or columns; so nothing covers another while it moves. level: about how far along
    their lanes all of them are, if they are to lie plainly above or beside each other.
    """
    count = len(names)
    assert 1 <= count <= 3, names
    # A sign is wide: it needs a row.
    rows = any(kind in SIGNS for kind, _ in names) or bool(rng.random() < 0.5)
    order = rng.permutation(count)
    sprites = []
    for lane, (kind, colour) in zip(order, names, strict=True):
        radius = float(rng.uniform(*(SIGN_RADII if kind in SIGNS else RADII)[count]))
        reach = max(radius * (1.35 if kind in SIGNS else 0.9) + 0.02, EDGE)
        along = float(rng.uniform(reach, 1 - reach))
        if level is not None:
            along = min(max(level + float(rng.uniform(-0.07, 0.07)), reach), 1 - reach)
        across = LANES[count][lane] + float(rng.uniform(-0.03, 0.03))
        if count == 1:
            across = float(rng.uniform(reach, 1 - reach))
        start = (along, across) if rows else (across, along)
        if kind not in SIGNS and rng.random() < moving:
            ways = list(DIRECTIONS) if count == 1 else ["left", "right"] if rows else ["up", "down"]
            way = ways[rng.integers(len(ways))]
            sprites.append(_mover(rng, kind, colour, radius, way, start))
        else:
            sprites.append(_still(rng, kind, colour, radius, start))
    return tuple(sprites)


def _still(rng: Rng, kind: str, colour: str, radius: float, start: Point) -> Sprite:
    return Sprite(kind, colour, start, radius=radius, angle=_angle(rng, kind), fill=_fill(rng))


def _mover(
    rng: Rng, kind: str, colour: str, radius: float, way: str, lane: Point, passing: float = 0.2
) -> Sprite:
    """A thing that goes along its lane, mostly from where it has the whole way before it; some come in, and some leave."""
    dx, dy = DIRECTIONS[way]
    speed = float(rng.uniform(*SPEED))
    far, near = float(rng.uniform(0.7, 0.83)), float(rng.uniform(0.17, 0.3))
    passes = bool(rng.random() < passing)
    if passes:
        far, near = (1.3, -0.3) if rng.random() < 0.5 else (0.6, 0.4)
    x = lane[0] if dx == 0 else near if dx > 0 else far
    y = lane[1] if dy == 0 else near if dy > 0 else far
    return Sprite(
        kind,
        colour,
        (x, y),
        (dx * speed, dy * speed),
        radius,
        _angle(rng, kind),
        _fill(rng),
        passes,
    )


def _crowd(rng: Rng, pairs: Sequence[Pair]) -> tuple[Sprite, ...]:
    """Two to five small things in cells of their own; kinds and colours come back, for there is something to count."""
    small = [pair for pair in pairs if pair[0] not in SIGNS]
    chosen = [small[rng.integers(len(small))] for _ in range(rng.integers(1, 4))]
    count = int(rng.integers(2, 6))
    names = [chosen[rng.integers(len(chosen))] for _ in range(count)]
    recolour = [pair for pair in small if pair[0] == names[0][0]]
    names = [
        recolour[rng.integers(len(recolour))]
        if kind == names[0][0] and rng.random() < 0.35
        else (kind, colour)
        for kind, colour in names
    ]
    cells = rng.choice(9, size=count, replace=False)
    sprites = []
    for cell, (kind, colour) in zip(cells, names, strict=True):
        x, y = (
            (part + 0.5) / 3 + float(rng.uniform(-0.02, 0.02)) for part in (cell % 3, cell // 3)
        )
        sprites.append(_still(rng, kind, colour, float(rng.uniform(*RADII[9])), (x, y)))
    return tuple(sprites)


def _angle(rng: Rng, kind: str) -> float:
    return float(rng.uniform(-12, 12)) if kind in SHAPES else 0.0


def _fill(rng: Rng) -> str:
    return FILLS[rng.choice(3, p=(0.6, 0.25, 0.15))]


def _staged(rng: Rng, sprites: tuple[Sprite, ...]) -> Scene:
    base = rng.integers(70, 190) + rng.integers(-22, 23, size=3)
    other = base + rng.integers(-30, 31) + rng.integers(-8, 9, size=3)
    texture = TEXTURES[rng.integers(len(TEXTURES))]
    shake = float(rng.uniform(0.004, 0.015)) if rng.random() < 0.3 else 0.0
    light = (1.0, 1.0)
    if rng.random() < 0.4:
        light = (float(rng.uniform(0.75, 1.1)), float(rng.uniform(0.75, 1.1)))
    moves = any(sprite.velocity != (0.0, 0.0) for sprite in sprites)
    pillar = _pillar(rng) if moves and rng.random() < 0.25 else None
    return Scene(
        sprites,
        (_rgb(base), _rgb(other)),
        texture,
        int(rng.integers(2**31)),
        pillar,
        light,
        shake,
    )


def _pillar(rng: Rng) -> Box:
    """Across the whole frame, from top to bottom or from side to side."""
    start, width = float(rng.uniform(0.2, 0.65)), float(rng.uniform(0.1, 0.18))
    if rng.random() < 0.5:
        return start, 0.0, start + width, 1.0
    return 0.0, start, 1.0, start + width


def _rgb(colour: npt.NDArray[np.int64]) -> Rgb:
    red, green, blue = (int(value) for value in np.clip(colour, 0, 255))
    return red, green, blue
