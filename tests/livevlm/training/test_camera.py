"""The camera: the same scene, looking as cameras make it look."""

from __future__ import annotations

import cv2
import numpy as np

from livevlm.training.camera import SIZES, film
from streams.render import Image, render
from streams.staging import draw_scene


def test_pictures_come_in_the_size_and_number_asked_for() -> None:
    """Whatever size they were drawn in and whatever codec they went through."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        pictures = film(rng, draw_scene(rng), [0.0, 0.5, 2.0], 48)
        assert [(one.shape, one.dtype) for one in pictures] == [((48, 48, 3), np.uint8)] * 3


def test_the_same_numbers_give_the_same_pictures() -> None:
    """A block of the bank or the pool, filmed anew, is the same to the bit."""
    for seed in range(20):
        scene = draw_scene(np.random.default_rng(seed))
        one, two = (film(np.random.default_rng(seed), scene, [0.0, 1.0], 48) for _ in range(2))
        assert np.array_equal(np.stack(one), np.stack(two))


def like(one: Image, two: Image) -> float:
    """How much two pictures are alike but for their light: the correlation of what is in them, -1..1."""
    flat = [image.astype(float) - image.mean(axis=(0, 1)) for image in (one, two)]
    return float(np.corrcoef(flat[0].ravel(), flat[1].ravel())[0, 1])


def test_the_camera_changes_the_looks_and_not_the_scene() -> None:
    """Two cameras see different pixels of one scene, and either picture is more like that scene than like any other."""
    drawn = [draw_scene(np.random.default_rng(seed)) for seed in range(16)]
    scenes = [scene for scene in drawn if scene.visible(scene.sprites[0], 1.0) > 0.9]
    plain = [
        cv2.resize(render(scene, 1.0, SIZES[0]), (48, 48), interpolation=cv2.INTER_AREA)
        for scene in scenes
    ]
    seen = set()
    for number, scene in enumerate(scenes):
        for seed in range(6):
            (picture,) = film(np.random.default_rng(seed), scene, [1.0], 48)
            seen.add(picture.tobytes())
            assert np.argmax([like(picture, other.astype(np.uint8)) for other in plain]) == number
    assert len(seen) == len(scenes) * 6 > 60
