"""What is to be seen: where the words begin to fit, and where they stop."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from livevlm.training.views import Thing, motion_of, place_of, relation_of, view_of
from streams.scene import Scene, Sprite


def at(x: float, y: float) -> Thing:
    """A thing there."""
    return Thing("star", "red", x, y)


def scene(*sprites: Sprite) -> Scene:
    """Sprites over grey."""
    return Scene(sprites, ((99, 99, 99), (99, 99, 99)), "plain", 0)


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (0.1, 0.1, "top left"), (0.5, 0.1, "top"), (0.9, 0.1, "top right"),
        (0.1, 0.5, "left"), (0.5, 0.5, "middle"), (0.9, 0.5, "right"),
        (0.1, 0.9, "bottom left"), (0.5, 0.9, "bottom"), (0.9, 0.9, "bottom right"),
        (1 / 3 - 0.046, 0.5, "left"), (1 / 3 - 0.044, 0.5, None), (1 / 3 + 0.044, 0.5, None), (1 / 3 + 0.046, 0.5, "middle"),
        (0.5, 2 / 3 - 0.046, "middle"), (0.5, 2 / 3 - 0.044, None), (0.5, 2 / 3 + 0.044, None), (0.5, 2 / 3 + 0.046, "bottom"),
        (-0.1, 0.5, "left"), (1.1, 1.05, "bottom right"),
    ],
)  # fmt: skip
def test_places_are_thirds_and_their_borders_are_not_named(
    x: float, y: float, place: str | None
) -> None:
    """Nine places; within 0.045 of a border nobody says; what has half left the view is still on that side."""
    assert place_of(at(x, y)) == place


@pytest.mark.parametrize(
    ("dx", "dy", "relation"),
    [
        (-0.201, 0.0, "left of"), (0.201, 0.0, "right of"), (0.0, -0.201, "above"), (0.0, 0.201, "below"),
        (0.199, 0.0, None), (0.0, -0.199, None), (0.0, 0.0, None),
        (0.4, 0.199, "right of"), (0.4, 0.201, None), (-0.199, -0.4, "above"), (-0.201, -0.4, None), (0.3, 0.3, None),
    ],
)  # fmt: skip
def test_relations_need_a_clear_distance_along_one_line(
    dx: float, dy: float, relation: str | None
) -> None:
    """Farther than 0.2 along, and less than half as far aside."""
    assert relation_of(at(0.5 + dx, 0.5 + dy), at(0.5, 0.5)) == relation


@pytest.mark.parametrize(
    ("steps", "way"),
    [
        ([(0.051, 0.0)] * 2, "right"), ([(-0.051, 0.0)] * 2, "left"),
        ([(0.0, -0.051)] * 2, "up"), ([(0.0, 0.051)] * 2, "down"),
        ([(0.049, 0.0)] * 2, None), ([(0.019, 0.019)] * 2, "still"), ([(0.021, 0.0)] * 2, None),
        ([(0.1, 0.019)] * 2, "right"), ([(0.1, 0.021)] * 2, None),
        ([(0.1, 0.0), (-0.1, 0.0)], None), ([(0.1, 0.0), (0.0, 0.1)], None), ([(0.1, 0.0), (0.0, 0.0)], None),
    ],
)  # fmt: skip
def test_motion_is_one_way_from_frame_to_frame(
    steps: Sequence[tuple[float, float]], way: str | None
) -> None:
    """Every step goes the same way by more than 0.05, and aside by less than 0.02; or none goes anywhere."""
    x, y = 0.4, 0.4
    track = [at(x, y)]
    for dx, dy in steps:
        x, y = x + dx, y + dy
        track.append(at(x, y))
    assert motion_of(track) == way


@pytest.mark.parametrize(
    ("share", "seen"),
    [(0.71, "whole"), (0.69, "vague"), (0.04, "vague"), (0.02, "gone"), (-0.1, "gone")],
)
def test_a_thing_is_in_view_half_in_view_or_gone(share: float, seen: str) -> None:
    """From 70 % of it on it is there, below 3 % it is not; in between nobody says."""
    sprite = Sprite("square", "red", (0.18 * (2 * share - 1), 0.5), radius=0.2, passes=True)
    view = view_of(scene(sprite), 0.0)
    assert [thing.name for thing in view.things] == (["red square"] if seen == "whole" else [])
    assert view.vague == ((("square", "red"),) if seen == "vague" else ())


def test_things_are_named_in_reading_order_at_the_moment() -> None:
    """By rows, then from left to right, with where they are at that second."""
    sprites = [
        Sprite("star", "red", (0.8, 0.2)),
        Sprite("7", "blue", (0.2, 0.7), (0.1, 0.0)),
        Sprite("moon", "pink", (0.3, 0.25)),
        Sprite("ring", "cyan", (0.45, 0.75)),
    ]
    view = view_of(scene(*sprites), 0.0)
    assert [thing.kind for thing in view.things] == ["moon", "star", "7", "ring"]
    later = view_of(scene(*sprites), 4.0)
    assert [thing.kind for thing in later.things] == ["moon", "star", "ring", "7"]
    assert later.things[3].x == pytest.approx(0.6)
    assert later.things[3].pair == ("7", "blue")
