"""`make demo`: what a newcomer runs first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from livevlm.sample import read_sample

ROOT = Path(__file__).resolve().parents[2]


def demo(**env: str) -> subprocess.CompletedProcess[str]:
    """The demo as `make demo` runs it."""
    return subprocess.run(
        [sys.executable, "-m", "livevlm.demo"],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_the_demo_shows_every_question_and_fails_on_wrong_answers() -> None:
    """A model that talks nonsense makes the demo fail, but not the daemon: everything is asked, shown and stopped in order."""
    done = demo(LIVEVLM_MODEL__NAME="toy", LIVEVLM_ANSWER__MAX_TOKENS="4")
    questions = read_sample().questions
    assert done.returncode == 1
    assert all(f": {question.question}\n" in done.stdout for question in questions)
    assert done.stdout.count("   seen at ") == len(questions)
    assert done.stdout.endswith(f"\n0 of {len(questions)} answers are right.\n")
    assert "The daemon ended" not in done.stderr


def test_a_demo_without_a_model_says_so() -> None:
    """The daemon's own words are passed on."""
    done = demo(LIVEVLM_MODEL__NAME="/nowhere")
    assert done.returncode == 3
    assert "no model folder at /nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_answers_everything_right() -> None:
    """With the bundled model every answer is right, now and about what is long gone from the short-term window."""
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(read_sample().questions)
    assert done.stdout.endswith(f"\n{count} of {count} answers are right.\n")
