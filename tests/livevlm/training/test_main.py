"""What training keeps to itself, and its command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from livevlm.training.__main__ import SEEN, UNSEEN, parse
from streams.scene import COLOURS, KINDS, PAIRS
from streams.staging import draw_scene


def test_seen_and_unseen_pairs_are_all_pairs() -> None:
    """None in both; about a tenth is unseen, and every kind and every colour is still seen in many pairs."""
    assert set(SEEN) | set(UNSEEN) == set(PAIRS)
    assert not set(SEEN) & set(UNSEEN)
    assert 0.07 < len(UNSEEN) / len(PAIRS) < 0.12
    for kind in KINDS:
        assert sum(pair[0] == kind for pair in SEEN) >= 8
    for colour in COLOURS:
        assert sum(pair[1] == colour for pair in SEEN) >= 25
        assert any(pair[1] == colour for pair in UNSEEN)


@pytest.mark.parametrize("pairs", [SEEN, UNSEEN])
def test_scenes_show_no_pair_that_is_not_given(pairs: tuple[tuple[str, str], ...]) -> None:
    """Alone, in lanes and in crowds, where things come back in other colours; and all that are given come up."""
    shown = set()
    for seed in range(2500):
        scene = draw_scene(np.random.default_rng(seed), pairs)
        shown |= {(sprite.kind, sprite.colour) for sprite in scene.sprites}
    assert shown == set(pairs)


def test_a_folder_is_all_that_must_be_said() -> None:
    """The command line's defaults are those of the bundled model; a folder is wanted."""
    options = parse(["--out", "runs/x"])
    assert options.out == Path("runs/x")
    assert (options.device, options.precision) == ("cpu", "bf16")
    with pytest.raises(SystemExit):
        parse([])
