"""What an engine does while nobody waits: the files of memories are checked, and pages are made ready to be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from livevlm.engine import Engine, EngineOptions
from livevlm.messages import Answer
from livevlm.metrics import Metrics
from livevlm.remembering import MemoryRecipe
from livevlm.toy import ToyBackbone
from tests.livevlm.test_engine import Camera, Clock, ask, question, run

FRAMES = 40


def engine(state: Path, count: int) -> Engine:
    """An engine over a camera of so many frames; sixteen of them are a segment of the archive."""
    recipe = MemoryRecipe(budget_tokens=96, short_term_frames=4, page_tokens=1)
    return Engine(
        ToyBackbone(),
        streams=[Camera(count).stream("cam")],
        options=EngineOptions(memory=recipe),
        metrics=Metrics(),
        clock=Clock(),
        state=state,
    )


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A state directory with a flipped bit in the archive's oldest rows."""
    made = engine(tmp_path, FRAMES)
    run(made)
    made.close()
    rows = tmp_path / "streams" / "cam" / "archive" / "00000000-0.rows"
    data = bytearray(rows.read_bytes())
    data[5] ^= 1
    rows.write_bytes(data)
    return tmp_path


def test_what_was_found_at_a_start_is_checked_while_nobody_waits(
    damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Step by step, until all is; frames that come are taken in between."""
    made = engine(damaged, 8)
    assert "spoilt" not in caplog.text
    steps = 0
    while made.step():
        steps += 1
    assert caplog.text.count("left out the spoilt tokens") == 1
    assert steps > 2
    assert made.streams()[0].frames_encoded == 8
    made.close()


def test_a_question_that_comes_before_is_answered_from_what_is_whole(
    damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing spoilt is read, and the log says what was left out."""
    made = engine(damaged, 4)
    answer = ask(made, question(max_evidence=FRAMES))[-1]
    assert isinstance(answer, Answer)
    assert answer.failure is None
    assert caplog.text.count("left out the spoilt tokens") == 1
    archive = made._roster.ingest("cam").memory.archive
    assert archive is not None
    assert archive.pages((0.0, 3.0), archive.end_number) == range(0)
    made.close()
