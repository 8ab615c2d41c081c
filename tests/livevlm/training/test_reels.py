"""Reels: streams out of shots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from livevlm.training.bank import LOOKS
from livevlm.training.questions import Footage
from livevlm.training.reels import ASKABLE, Reels, draw_reels, draw_stamps
from tests.livevlm.training.making import shots


def reels(seed: int, *, frames: int = 40, stamped: bool = False, only: str = "") -> Reels:
    """Three streams with five questions each."""
    rng = np.random.default_rng(seed)
    types = (only,) if only else tuple(ASKABLE)
    return draw_reels(
        rng, shots(), count=3, frames=frames, questions=5, stamped=stamped, only=types
    )


def seconds(stamp: str) -> int:
    """0:12:05 -> 725."""
    hours, minutes, seconds = (int(part) for part in stamp.split(":"))
    return hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("seed", range(6))
def test_footage_says_what_the_frames_show(seed: int) -> None:
    """The view of every frame is that of the scene and look whose tokens are taken for it."""
    drawn = reels(seed)
    assert drawn.scenes.shape == drawn.looks.shape == (3, 40)
    for row, footage in enumerate(drawn.footage):
        places = zip(drawn.scenes[row].tolist(), drawn.looks[row].tolist(), strict=True)
        assert list(footage.views) == [shots().views[scene][look] for scene, look in places]


@pytest.mark.parametrize("seed", range(6))
def test_shots_are_cut_where_the_scene_changes(seed: int) -> None:
    """Within a shot one scene goes on, look by look, to and fro; shots are numbered from 0 on."""
    drawn = reels(seed, frames=200)
    for row, footage in enumerate(drawn.footage):
        frames = list(
            zip(footage.shots, drawn.scenes[row].tolist(), drawn.looks[row].tolist(), strict=True)
        )
        for (shot, scene, look), (next_shot, next_scene, next_look) in pairwise(frames):
            assert next_shot - shot in (0, 1)
            if next_shot == shot:
                assert next_scene == scene
                assert abs(next_look - look) == 1
        assert frames[0][0] == 0
        assert len(set(footage.shots)) > 3
        assert set(drawn.looks[row].tolist()) == set(range(LOOKS))


def test_short_shots_go_forwards() -> None:
    """A shot that its looks outlast is never turned: what moves in it moves one way."""
    drawn = reels(0, frames=400)
    looks, cuts = drawn.looks[0].tolist(), list(drawn.footage[0].shots)
    for shot in set(cuts):
        part = [look for look, cut in zip(looks, cuts, strict=True) if cut == shot]
        if len(part) < LOOKS:
            assert part == list(range(part[0], part[0] + len(part)))


def test_every_stream_gets_its_questions_of_the_types_wanted() -> None:
    """Neither more nor fewer, and no other types; all types come up where all are wanted."""
    for exchanges in reels(1, only="past_did").exchanges:
        assert [one.type for one in exchanges] == ["past_did"] * 5
    types = {one.type for seed in range(40) for row in reels(seed).exchanges for one in row}
    assert types == set(ASKABLE)


def test_the_same_numbers_give_the_same_streams() -> None:
    """A step of training drawn again is the same, to the last question."""
    one, two = reels(5, stamped=True), reels(5, stamped=True)
    assert one.exchanges == two.exchanges
    assert one.footage == two.footage
    assert reels(6, stamped=True).exchanges != one.exchanges


def test_stamps_go_forward_at_one_pace() -> None:
    """A time for every frame, at most half a minute and at least half a second apart, always alike; none unless wanted."""
    paces = set()
    for seed in range(60):
        times = [seconds(stamp) for stamp in draw_stamps(np.random.default_rng(seed), 32)]
        steps = [after - before for before, after in pairwise(times)]
        assert len(times) == 32
        assert 0 <= min(steps) <= max(steps) <= 31
        assert max(steps) - min(steps) <= 1
        paces.add(max(steps))
    assert len(paces) > 5
    assert all(len(footage.stamps or ()) == 40 for footage in reels(0, stamped=True).footage)
    assert all(footage.stamps is None for footage in reels(0).footage)


def test_footage_needs_a_shot_for_every_frame() -> None:
    """A view without its shot's number is a mistake."""
    with pytest.raises(AssertionError):
        Footage(shots().views[0], [0])
