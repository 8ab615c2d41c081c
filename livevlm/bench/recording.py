"""A recording of half an hour with known content, drawn and encoded here, given to `livevlm replay` with questions about its
parts.

Every question is asked while its part of the recording is in the short-term memory, and the answer must be the right
words. What is asked, and when, follows from the seed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from livevlm.bench.report import machine, print_table
from livevlm.cli.parsing import parser_for
from livevlm.training.questions import Exchange, Footage, draw_exchange
from livevlm.training.reels import ASKABLE
from livevlm.training.views import view_of
from streams import Recording
from streams.synthetic import Script

SIZE, FPS, SCENE_S = (320, 240), 5, 12.0
REACH_S = 40  # how far back a question goes at most
SHORT_TERM = 48
TYPES = (
    "now_colour", "past_colour", "now_sign", "past_thing", "now_count", "past_did", "now_where", "past_first", "now_moving",
    "past_next", "now_shape", "now_describe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question for a moment of the recording."""

    at_s: int
    exchange: Exchange


def main(argv: Sequence[str]) -> int:
    """Draw, record, replay, and print; 0 whatever was right."""
    parser = parser_for("bench recording", __doc__ or "")
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    options = parser.parse_args(argv)
    script = Script(SCENE_S, options.seed)
    asked = draw_questions(script, options.minutes * 60, options.questions)
    with tempfile.TemporaryDirectory(prefix="livevlm-recording-") as folder:
        video = Path(folder) / "recording.mp4"
        record(script, options.minutes * 60, video)
        size, began = video.stat().st_size, time.monotonic()
        answers = replayed(video, asked, options.model)
        elapsed = time.monotonic() - began
    rows = [row(one, answer) for one, answer in zip(asked, answers, strict=True)]
    right = sum(one["right"] for one in rows)
    settings = {
        "minutes": options.minutes, "seed": options.seed, "video_bytes": size, "replay_s": round(elapsed, 1),
        "right": right, "asked": len(rows), **machine(torch.device("cpu")),
    }  # fmt: skip
    if not options.json:
        print_table(rows)
        print(f"{right} of {len(rows)} right; replayed in {elapsed:.0f} s")
    print(json.dumps({"bench": "recording", **settings, "rows": rows}))
    return 0


def record(script: Script, seconds: int, path: Path) -> None:
    """The script's pictures as an MP4."""
    with Recording(path, SIZE, FPS) as recording:
        for number in range(seconds * FPS):
            recording.write(script.picture(number / FPS, SIZE))


def draw_questions(script: Script, seconds: int, count: int) -> list[Asked]:
    """One question for each of so many equal parts, in held-out wordings; the types take turns."""
    asked = []
    for part in range(count):
        rng = np.random.default_rng((script.seed, part))
        name = TYPES[part % len(TYPES)]
        exchange = None
        while exchange is None:
            at_s = int((part + rng.uniform(0.1, 1)) * seconds / count)
            exchange = draw_exchange(
                rng, footage_until(script, at_s), name, ASKABLE[name], unsaid=True
            )
        asked.append(Asked(at_s, exchange))
    return asked


def footage_until(script: Script, at_s: int) -> Footage:
    """What one frame a second has shown up to a moment, as far back as questions go."""
    moments = range(max(0, at_s - REACH_S), at_s + 1)
    return Footage(
        [view_of(script.scene_at(moment), moment % script.scene_s) for moment in moments],
        [int(moment / script.scene_s) for moment in moments],
    )


def replayed(video: Path, asked: Sequence[Asked], model: str) -> list[str]:
    """The answers of `livevlm replay`, in the order of the questions."""
    lines = [json.dumps({"at": one.at_s, "question": one.exchange.question}) for one in asked]
    questions = video.with_suffix(".jsonl")
    questions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = video.with_suffix(".toml")
    config.write_text(
        f"version = 1\n[memory]\nshort_term_frames = {SHORT_TERM}\n", encoding="utf-8"
    )
    words = [
        "replay",
        str(video),
        "-c",
        str(config),
        "--questions",
        str(questions),
        "--model",
        model,
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "livevlm", *words], check=True, capture_output=True, text=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [str(one["text"]) for one in found]


def row(asked: Asked, answer: str) -> dict[str, Any]:
    """A line of the table."""
    return {
        "at_s": asked.at_s,
        "question": asked.exchange.question,
        "answer": answer,
        "truth": asked.exchange.answer,
        "right": answer.strip() == asked.exchange.answer,
    }
