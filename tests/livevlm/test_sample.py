"""The demo's sample: what its description says is what is drawn and asked."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from livevlm.sample import SampleQuestion, read_sample
from streams import Sampler, SourceOptions, open_source
from streams.scene import COLOURS, KINDS


def test_the_sample_names_only_what_can_be_drawn() -> None:
    """Every scene shows one or two known things, each scene differs from the one before."""
    sample = read_sample()
    for names in sample.scenes:
        assert 1 <= len(names) <= 2
        for colour, kind in (name.split() for name in names):
            assert colour in COLOURS
            assert kind in KINDS
    assert all(one != two for one, two in itertools.pairwise(sample.scenes))


def test_the_sample_asks_about_now_and_about_what_is_long_gone() -> None:
    """At least four questions, and the oldest thing asked about left the short-term memory long ago."""
    sample = read_sample()
    assert len(sample.questions) >= 4
    assert any(question.about == "now" for question in sample.questions)
    assert sample.duration_s > 30


def test_drawing_is_repeatable() -> None:
    """The same description gives the same pictures."""
    sample = read_sample()
    one, two = (list(itertools.islice(sample.pictures(), 3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_recording_is_a_video_of_the_whole_sample(tmp_path: Path) -> None:
    """It can be opened as any other source and lasts as long as it says."""
    sample = read_sample()
    sample.record(tmp_path / "sample.mp4")
    options = SourceOptions(keep=Sampler(1.0).keep)
    with open_source(str(tmp_path / "sample.mp4"), name="x", options=options) as source:
        times = [frame.pts_s for frame in source]
    assert times == pytest.approx(range(round(sample.duration_s)), abs=0.05)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [("red", True), (" Red.", True), ("a red star", False), ("", False), ("green", False)],
)
def test_answers_are_compared_as_people_would(text: str, accepted: bool) -> None:
    """Case and a full stop do not matter; other words do."""
    question = SampleQuestion(question="q", answers=("red",), about="now")
    assert question.accepts(text) is accepted
