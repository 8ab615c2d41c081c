"""The benchmark of watches: what counts as caught, missed, false and late, and that a run prints what it promises."""

from __future__ import annotations

import json

import numpy as np
import pytest

from livevlm.bench.watches import KINDS, Tally, choose, draw, main, score, spells
from livevlm.training.pairing import SEEN

YES, NO, HALF = True, False, None


def test_half_in_view_neither_begins_nor_ends_a_time_in_view() -> None:
    """Nobody could say when a thing at the edge came."""
    assert spells([NO, YES, YES, NO, YES]) == [(1, 2), (4, 4)]
    assert spells([HALF, YES, HALF, YES, HALF, NO]) == [(1, 3)]
    assert spells([NO, HALF, NO]) == []


def test_triggers_are_counted_by_the_truth() -> None:
    """In time, late, early while half in view, missed, and false."""
    tally = Tally()
    score(tally, [NO, YES, YES, NO, HALF, YES, NO, YES], [2, 3, 4])
    assert (tally.shown, tally.caught, tally.false) == (3, 2, 1)
    assert tally.delays == [1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_streams_are_the_same_each_time_and_watches_fit_them(kind: str) -> None:
    """Half of what is watched for is shown, half never is."""
    footage = draw(np.random.default_rng(1), kind, 12, 32)
    again = draw(np.random.default_rng(1), kind, 12, 32)
    assert len(footage.pictures) == len(footage.views) == 12
    assert all(map(np.array_equal, footage.pictures, again.pictures))
    pairs = choose(np.random.default_rng(2), footage, 4)
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) <= set(SEEN)
    shown = [any(footage.truth(pair)) for pair in pairs]
    assert shown == sorted(shown, reverse=True)
    assert shown[-2:] == [False, False]


def test_a_run_ends_with_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every stream and gate; without a gate nothing is saved, with a tight one all but the first look is."""
    words = "--model toy --frames 6 --watches 2 --changes 0,1000 --json".split()
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["bench"] == "watches"
    assert [(row["stream"], row["change"], row["evaluations"]) for row in found["rows"]] == [
        ("busy", 0.0, 12),
        ("busy", 1000.0, 2),
        ("calm", 0.0, 12),
        ("calm", 1000.0, 2),
    ]
