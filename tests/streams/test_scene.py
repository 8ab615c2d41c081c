"""Scenes: what the numbers say is what is drawn."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.render import Image, render
from streams.scene import COLOURS, DIRECTIONS, EDGE, FILLS, KINDS, SHAPES, SIGNS, Scene, Sprite
from streams.staging import draw_scene, place

SPEEDS = st.floats(0.01, 0.5) | st.floats(-0.5, -0.01)
GREY = (120, 120, 120)


def bare(*sprites: Sprite) -> Scene:
    """The sprites over plain grey."""
    return Scene(sprites, (GREY, GREY), "plain", 0)


def touched(scene: Scene, size: tuple[int, int] = (200, 200)) -> npt.NDArray[np.bool_]:
    """The pixels that a scene's sprites change."""
    empty = render(replace(scene, sprites=()), 0.0, size).astype(int)
    mask: npt.NDArray[np.bool_] = abs(render(scene, 0.0, size) - empty).max(-1) > 20
    return mask


def boxes_at(scene: Scene, seconds: float) -> list[tuple[float, float, float, float]]:
    """What each sprite takes up: left, top, right, bottom."""
    found = []
    for sprite in scene.sprites:
        (x, y), (wide, high) = sprite.centre_at(seconds), sprite.half
        found.append((x - wide, y - high, x + wide, y + high))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_the_same_numbers_give_the_same_pictures(seed: int) -> None:
    """A scene drawn again from its seed is the same, and so is every pixel of it; the next seed's is not."""
    scenes = [draw_scene(np.random.default_rng(number)) for number in (seed, seed, seed + 1)]
    pictures = [render(scene, 1.25, (96, 64)) for scene in scenes]
    assert scenes[0] == scenes[1] != scenes[2]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


@given(start=st.floats(0, 1), speed=SPEEDS, seconds=st.floats(0, 200))
def test_what_bounces_stays_between_the_edges_and_never_jumps(
    start: float, speed: float, seconds: float
) -> None:
    """At every moment the centre is inside, and a little later it is no farther than the speed takes it."""
    sprite = Sprite("star", "red", (start, 0.4), (speed, 0.0))
    (here, y), (soon, _) = sprite.centre_at(seconds), sprite.centre_at(seconds + 0.01)
    assert EDGE - 1e-9 <= here <= 1 - EDGE + 1e-9
    assert abs(soon - here) <= abs(speed) * 0.01 + 1e-9
    assert y == 0.4


def test_what_passes_leaves_the_view() -> None:
    """A sprite that passes goes on in a straight line."""
    sprite = Sprite("star", "red", (0.5, 0.5), (0.1, 0.0), passes=True)
    assert sprite.centre_at(10.0) == pytest.approx((1.5, 0.5))
    assert bare(sprite).visible(sprite, 0.0) == 1.0
    assert bare(sprite).visible(sprite, 10.0) == 0.0


@pytest.mark.parametrize("kind", ["square", "stop sign"])
@pytest.mark.parametrize("pillar", [None, (0.4, 0.0, 0.55, 1.0), (0.0, 0.45, 1.0, 0.6)])
def test_the_share_in_view_is_what_pixels_say(
    kind: str, pillar: tuple[float, float, float, float] | None
) -> None:
    """What is cut off at the frame's edges and hidden behind a pillar agrees with a count of pixels."""
    whole = touched(bare(Sprite(kind, "white", (0.5, 0.5), radius=0.2))).sum()
    for x, y in itertools.product((-0.3, 0.0, 0.1, 0.35, 0.5, 0.9), (-0.05, 0.3, 0.5, 1.02)):
        sprite = Sprite(kind, "white", (x, y), radius=0.2)
        scene = replace(bare(sprite), pillar=pillar)
        assert scene.visible(sprite, 0.0) == pytest.approx(touched(scene).sum() / whole, abs=0.12)


def test_every_kind_looks_unlike_every_other() -> None:
    """Of one colour, size and place, any two kinds differ in at least one pixel of a hundred, clearly."""
    pictures: dict[str, Image] = {}
    for kind in KINDS:
        pictures[kind] = render(bare(Sprite(kind, "red", (0.5, 0.5), radius=0.3)), 0.0, (96, 96))
        assert touched(bare(Sprite(kind, "red", (0.5, 0.5), radius=0.3))).mean() > 0.03, kind
    for (one, a), (other, b) in itertools.combinations(pictures.items(), 2):
        assert (abs(a.astype(int) - b).max(-1) > 60).mean() > 0.01, (one, other)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("fill", FILLS)
def test_a_thing_has_the_colour_that_it_is_called(colour: str, fill: str) -> None:
    """Most of a square is painted in its colour, however it is filled."""
    picture = render(bare(Sprite("square", colour, (0.5, 0.5), fill=fill)), 0.0, (120, 120))
    inside = picture[44:76, 44:76].reshape(-1, 3).astype(int)
    assert np.median(abs(inside - COLOURS[colour]).max(-1)) <= 5


@pytest.mark.parametrize("kind", [*SHAPES[:2], *SIGNS[:1]])
def test_outlines_and_hatching_show(kind: str) -> None:
    """A fill changes the picture."""
    sprite = Sprite(kind, "red", (0.5, 0.5), radius=0.25)
    plain, outlined = (
        render(bare(replace(sprite, fill=fill)), 0.0, (96, 96)) for fill in ("plain", "outlined")
    )
    assert not np.array_equal(plain, outlined)


def test_nothing_covers_another() -> None:
    """In drawn scenes, moving or not, no thing ever lies over another by more than a hair."""
    for seed in range(300):
        scene = draw_scene(np.random.default_rng(seed))
        for tick in range(13):
            for one, two in itertools.combinations(boxes_at(scene, tick / 2), 2):
                wide = min(one[2], two[2]) - max(one[0], two[0])
                high = min(one[3], two[3]) - max(one[1], two[1])
                assert min(wide, high) < 0.03, (seed, tick)


def test_drawn_scenes_differ_in_what_they_show() -> None:
    """Alone, in company and in crowds; still and moving; with and without pillars, light and shaking."""
    scenes = [draw_scene(np.random.default_rng(seed)) for seed in range(300)]
    assert {len(scene.sprites) for scene in scenes} == {1, 2, 3, 4, 5}
    for seen in (
        {any(sprite.velocity != (0.0, 0.0) for sprite in scene.sprites) for scene in scenes},
        {any(sprite.passes for sprite in scene.sprites) for scene in scenes},
        {scene.pillar is not None for scene in scenes},
        {scene.light != (1.0, 1.0) for scene in scenes},
        {scene.shake > 0 for scene in scenes},
    ):
        assert seen == {False, True}
    assert {sprite.kind for scene in scenes for sprite in scene.sprites} == set(KINDS)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "names",
    [
        [("star", "red")],
        [("exit sign", "green"), ("7", "blue")],
        [("moon", "pink"), ("bolt", "black"), ("stop sign", "red")],
    ],
)
def test_placing_puts_what_is_named(seed: int, names: list[tuple[str, str]]) -> None:
    """Each named thing is there, in that order, in full and at rest."""
    scene = place(np.random.default_rng(seed), names)
    assert [(sprite.kind, sprite.colour) for sprite in scene.sprites] == names
    for sprite in scene.sprites:
        assert sprite.centre_at(0.0) == sprite.centre_at(5.0)
        assert scene.visible(sprite, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("way", DIRECTIONS)
def test_the_first_thing_placed_may_move(way: str) -> None:
    """It goes the way that is named, and the others rest."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        first, second = place(rng, [("star", "red"), ("7", "blue")], way).sprites
        dx, dy = DIRECTIONS[way]
        assert first.velocity[0] * dx + first.velocity[1] * dy > 0.05
        assert first.velocity[0] * dy == first.velocity[1] * dx == 0
        assert second.velocity == (0.0, 0.0)


@pytest.mark.parametrize("wrong", [{"kind": "dog"}, {"colour": "grey"}, {"fill": "dotted"}])
def test_what_cannot_be_drawn_is_refused(wrong: dict[str, str]) -> None:
    """A sprite that nobody can draw is not made."""
    with pytest.raises(AssertionError, match=next(iter(wrong.values()))):
        Sprite(**{"kind": "star", "colour": "red", "start": (0.5, 0.5), **wrong})  # type: ignore[arg-type]
