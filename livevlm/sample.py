"""Sample: the demo's video and its questions, both described in sample.json and made here from that description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streams import Recording
from streams.render import Image
from streams.scene import Scene
from streams.staging import Rng, place
from streams.synthetic import Script

FILE = Path(__file__).with_name("sample.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleQuestion:
    """A question about the whole sample, asked at its end; any of `answers` is right. `about` says what it shows."""

    question: str
    answers: tuple[str, ...]
    about: str

    def accepts(self, text: str) -> bool:
        """Whether a text says one of the answers; case, spaces and a full stop do not matter."""
        return _plain(text) in {_plain(answer) for answer in self.answers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A video and its questions. `scenes`: what is in view, as "red star" or "green exit sign", each `scene_s` long; the first
    thing of a scene may be "moving left" (right, up, down). `size`: width, height.
    """

    size: tuple[int, int]
    fps: float
    scene_s: float
    seed: int
    scenes: tuple[tuple[str, ...], ...]
    questions: tuple[SampleQuestion, ...]

    @property
    def duration_s(self) -> float:
        """Length of the video."""
        return len(self.scenes) * self.scene_s

    def pictures(self) -> Iterator[Image]:
        """Every picture of the video, in order; the same ones each time."""
        rng = np.random.default_rng(self.seed)
        scenes = [_scene(rng, names) for names in self.scenes]
        script = Script(self.scene_s, self.seed, scenes)
        for index in range(round(self.duration_s * self.fps)):
            yield script.picture(index / self.fps, self.size)

    def record(self, path: Path) -> None:
        """Write the video to an MP4 file."""
        with Recording(path, self.size, self.fps) as recording:
            for picture in self.pictures():
                recording.write(picture)


def read_sample(file: Path = FILE) -> Sample:
    """The sample that a file describes."""
    found = json.loads(file.read_text(encoding="utf-8"))
    questions = tuple(
        SampleQuestion(question=q["question"], answers=tuple(q["answers"]), about=q["about"])
        for q in found["questions"]
    )
    width, height = found["size"]
    return Sample(
        size=(width, height),
        fps=found["fps"],
        scene_s=found["scene_s"],
        seed=found["seed"],
        scenes=tuple(tuple(names) for names in found["scenes"]),
        questions=questions,
    )


def _scene(rng: Rng, names: tuple[str, ...]) -> Scene:
    """The scene that shows the named things, as "red star" or "green exit sign moving left"."""
    first, _, moving = names[0].partition(" moving ")
    pairs = [name.split(" ", 1) for name in (first, *names[1:])]
    return place(rng, [(kind, colour) for colour, kind in pairs], moving or None)


def _plain(text: str) -> str:
    return " ".join(text.casefold().rstrip(". \n").split())
