"""A day in minutes: cameras that are taken as fast as the engine goes, lost and found, asked about, counted and weighed.

Time is simulated, all else is real: decoding, readers, mailboxes, the model, memories with an archive under its cap and a state
folder. Exit code 1 where pictures are unaccounted for, or a question was not answered.
"""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from livevlm.assembly import build_backbone
from livevlm.backbone import Backbone
from livevlm.bench.report import arguments, machine, report
from livevlm.bench.rig import Rig
from livevlm.bench.soakcamera import HOUR_S, SoakCamera
from livevlm.bench.usage import MIB, mapped_mib, resident_mib
from livevlm.config import Config
from livevlm.messages import Answer, AnswerEvent, Question
from streams import ReaderStatus, Recording
from streams.source import Decode
from streams.synthetic import Script

SIZE, CAMERA_FPS, SCENE_S = (160, 120), 2, 12.0
ASK_EVERY_S = 600.0
SAMPLES = 200
QUESTION = "what do you see?"
# Every second stream has only its keyframes decoded, one a second: both ways of reading are soaked.
WAYS: tuple[Decode, ...] = ("all", "keyframes")


def main(argv: Sequence[str]) -> int:
    """Run, and print."""
    parser = arguments("soak", __doc__ or "")
    parser.add_argument("--hours", type=float, default=24.0, help="simulated")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--fps", type=float, default=1.0, help="pictures a simulated second")
    parser.add_argument("--minutes", type=float, default=10.0, help="real ones, at most")
    parser.add_argument("--clip-s", type=float, default=600.0, help="a camera is lost so often")
    parser.add_argument("--archive-mb", type=int, default=256, help="a stream's, on disk, MiB")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="livevlm-soak-") as folder, quiet():
        clip = Path(folder) / "clip.mp4"
        record(clip, options.clip_s)
        names = [f"cam{number}" for number in range(options.streams)]
        config = Config.model_validate(
            {
                "server": {"state_dir": str(Path(folder) / "state")},
                "model": {key: getattr(options, key) for key in ("device", "dtype", "threads")}
                | {"name": options.model},
                "memory": {"archive_disk_mb": options.archive_mb},
                "ingest": {"fps": options.fps},
                "streams": {name: {"url": str(clip)} for name in names},
            }
        )
        backbone = build_backbone(config)
        end_s = options.hours * HOUR_S
        capacity = config.ingest.mailbox_frames
        cameras = [SoakCamera(clip, name=name, end_s=end_s, capacity=capacity) for name in names]
        soak = Soak(backbone, config, cameras, end_s)
        rows = soak.run(60 * options.minutes)
        on_disk = sum(
            file.stat().st_size for file in Path(folder, "state").rglob("*") if file.is_file()
        )
    settings = {
        "model": options.model, "hours": options.hours, **soak.figures(), "state_mib": on_disk / MIB,
        **machine(backbone.device),
    }  # fmt: skip
    report("soak", settings, rows, as_json=options.json)
    fine = all(row["unaccounted"] == 0 for row in rows) and not soak.wrong
    return 0 if fine and soak.answered == soak.asked else 1


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the readers' lines on cameras that are lost: here they are meant to be."""
    handler, readers = logging.NullHandler(), logging.getLogger("streams")
    readers.addHandler(handler)
    try:
        yield
    finally:
        readers.removeHandler(handler)


def record(path: Path, seconds: float) -> None:
    """What the cameras see: scenes that follow each other, a keyframe a second."""
    script = Script(SCENE_S, 1)
    with Recording(path, SIZE, CAMERA_FPS, keyframe_every=CAMERA_FPS) as recording:
        for number in range(round(seconds * CAMERA_FPS)):
            recording.write(script.picture(number / CAMERA_FPS, SIZE))


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at a moment of simulated time, in MiB: resident, and without the pages of files that are mapped."""

    at_s: float
    resident_mib: float
    own_mib: float


@dataclass(slots=True)
class Soak:
    """One run. `wrong` counts the looks at a stream's counters that did not add up."""

    backbone: Backbone
    config: Config
    cameras: Sequence[SoakCamera]
    end_s: float
    samples: list[Sample] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    wrong: int = 0
    elapsed_s: float = 0.0

    def run(self, patience_s: float) -> list[dict[str, Any]]:
        """All of the simulated time, or as much as there is time for: a row for each stream."""
        size, fps = self.backbone.frame_size, self.config.ingest.fps
        rig = Rig(
            self.backbone,
            self.config,
            lambda wake: [
                camera.intake(size=size, fps=fps, decode=WAYS[number % len(WAYS)], wake=wake)
                for number, camera in enumerate(self.cameras)
            ],
            lambda frames: None,
        )
        began = time.monotonic()
        with rig:
            rig.run(lambda: self._look(rig) >= self.end_s or time.monotonic() - began > patience_s)
            rig.stop_readers()
            rig.run(lambda: self._drained(rig))
            self._sample(rig, self._now_s())
            self.elapsed_s = time.monotonic() - began
            encoded = {one.name: one.frames_encoded for one in rig.engine.streams()}
            return [
                _row(one.stream.name, one.reader.status(), encoded[one.stream.name])
                for one in rig.intakes
            ]

    def figures(self) -> dict[str, Any]:
        """What was seen over all streams. Slopes: MiB a simulated hour, over the second half."""
        hours = [one.at_s / HOUR_S for one in self.samples]
        sizes = [one.resident_mib for one in self.samples]
        half = [one for one in self.samples if one.at_s >= self.samples[-1].at_s / 2]
        shares = {
            f"resident_{percent}_mib": float(np.interp(hours[-1] * percent / 100, hours, sizes))
            for percent in (0, 25, 50, 75, 100)
        }
        return {
            "hours_run": hours[-1],
            "elapsed_s": self.elapsed_s,
            **shares,
            "slope_mib_per_hour": _slope(half, [one.resident_mib for one in half]),
            "own_100_mib": self.samples[-1].own_mib,
            "own_slope_mib_per_hour": _slope(half, [one.own_mib for one in half]),
            "asked": self.asked,
            "answered": self.answered,
            "wrong_counts": self.wrong,
        }

    def _now_s(self) -> float:
        return min(camera.now_s for camera in self.cameras)

    def _look(self, rig: Rig) -> float:
        """Ask and weigh where it is time to; the simulated time."""
        now_s = self._now_s()
        if now_s >= len(self.samples) * self.end_s / SAMPLES:
            self._sample(rig, now_s)
        if now_s >= (self.asked + 1) * ASK_EVERY_S:
            name = rig.intakes[self.asked % len(rig.intakes)].stream.name
            question = Question(id=f"q{self.asked}", stream=name, text=QUESTION, max_tokens=24)
            rig.engine.submit(question, self._hear)
            self.asked += 1
        return now_s

    def _sample(self, rig: Rig, now_s: float) -> None:
        resident = resident_mib()
        self.samples.append(Sample(now_s, resident, resident - mapped_mib()))
        statuses = [intake.reader.status() for intake in rig.intakes]
        self.wrong += sum(_unaccounted(status, status.taken) != 0 for status in statuses)

    def _hear(self, event: AnswerEvent) -> None:
        if isinstance(event, Answer):
            self.answered += event.failure is None

    def _drained(self, rig: Rig) -> bool:
        return not rig.step() and not any(len(intake.mailbox) for intake in rig.intakes)


def _slope(samples: Sequence[Sample], sizes: Sequence[float]) -> float:
    hours = [one.at_s / HOUR_S for one in samples]
    return float(np.polyfit(hours, sizes, 1)[0]) if len(set(hours)) > 1 else math.nan


def _unaccounted(status: ReaderStatus, encoded: int) -> int:
    """Pictures that came and of which nobody knows what became."""
    known = status.unsampled + encoded + sum(status.dropped.values()) + status.waiting
    return status.received - known


def _row(name: str, status: ReaderStatus, encoded: int) -> dict[str, Any]:
    return {
        "stream": name,
        "received": status.received,
        "unsampled": status.unsampled,
        "encoded": encoded,
        "waiting": status.waiting,
        **status.dropped,
        "unaccounted": _unaccounted(status, encoded),
        "reconnects": status.reconnects,
    }
