"""The demo's sample: what its description says is what is drawn and asked."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from livevlm.sample import Sample, SampleQuestion, read_sample
from streams import Sampler, SourceOptions, open_source
from streams.scene import COLOURS, DIRECTIONS, KINDS


def test_the_sample_names_only_what_can_be_drawn() -> None:
    """Every scene shows one or two known things, the first of which may move; each scene differs from the one before."""
    sample = read_sample()
    for names in sample.scenes:
        assert 1 <= len(names) <= 2
        first, _, moving = names[0].partition(" moving ")
        assert moving in ("", *DIRECTIONS)
        for colour, kind in (name.split(" ", 1) for name in (first, *names[1:])):
            assert colour in COLOURS
            assert kind in KINDS
    assert all(one != two for one, two in itertools.pairwise(sample.scenes))


def described(*scenes: tuple[str, ...]) -> Sample:
    """A small sample of these scenes, a second each."""
    return Sample(size=(96, 96), fps=2, scene_s=1.0, seed=3, scenes=scenes, questions=())


def test_pictures_show_what_the_description_names() -> None:
    """Shapes, digits and signs in their colours, scene after scene; what moves is not where it was."""
    pictures = list(
        described(
            ("red square",), ("blue exit sign", "green 7"), ("white star moving up",)
        ).pictures()
    )
    assert len(pictures) == 6
    for hue, (first, second) in (("red", (0, 1)), ("blue", (2, 3)), ("green", (2, 3))):
        for place in (first, second):
            near = abs(pictures[place].astype(int) - COLOURS[hue]).max(-1) < 25
            assert near.sum() > 60
    rows = [np.nonzero((picture.min(-1) > 225).any(axis=1))[0].mean() for picture in pictures[4:]]
    assert rows[1] < rows[0] - 2


def test_a_scene_that_cannot_be_drawn_is_refused() -> None:
    """A thing that nobody knows is a mistake in the description."""
    with pytest.raises(AssertionError, match="dog"):
        next(described(("red dog",)).pictures())


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
