"""The picture of a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livevlm.training.curves import main, read


def written(path: Path, reports: list[dict[str, object]]) -> Path:
    """A file of figures."""
    path.write_text("".join(json.dumps(report) + "\n" for report in reports), encoding="utf-8")
    return path


def test_of_a_step_that_was_reported_twice_the_last_report_counts(tmp_path: Path) -> None:
    """A run that was broken off after a snapshot takes some steps again."""
    reports: list[dict[str, object]] = [
        {"stage": "vision", "step": 50, "minutes": 1.0, "loss": 3.0},
        {"stage": "vision", "step": 100, "minutes": 2.0, "loss": 2.0},
        {"stage": "vision", "step": 100, "minutes": 2.5, "loss": 1.0, "kind": 0.5},
    ]
    found = read(written(tmp_path / "train.jsonl", reports))
    assert found == {"vision": {"loss": [(50, 3.0), (100, 1.0)], "kind": [(100, 0.5)]}}


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    """Drawn twice, the file is the same; with another figure it is not."""
    reports: list[dict[str, object]] = [
        {"stage": stage, "step": step, "minutes": 1.0, "loss": 10.0 / step, "tokens": 0.5}
        for stage in ("vision", "language")
        for step in (50, 100)
    ]
    source = written(tmp_path / "train.jsonl", reports)
    for name in ("one.svg", "two.svg"):
        assert main([str(source), str(tmp_path / name)]) == 0
    one, two = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert one == two
    written(source, [{**report, "tokens": 0.9} for report in reports])
    assert main([str(source), str(tmp_path / "three.svg")]) == 0
    assert (tmp_path / "three.svg").read_bytes() != one


def test_without_a_target_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    """Called wrongly it names the command."""
    assert main(["train.jsonl"]) == 2
    assert "livevlm.training.curves" in capsys.readouterr().err


def test_runs_that_went_on_from_each_other_are_all_drawn(tmp_path: Path) -> None:
    """The stages of a second run stand beside those of the first, by their run."""
    reports: list[dict[str, object]] = [
        {"stage": "last", "step": step, "minutes": 1.0, "loss": 1.0, "tokens": 0.5}
        for step in (50, 100)
    ]
    source = str(written(tmp_path / "train.jsonl", reports))
    assert main([source, source, str(tmp_path / "both.svg")]) == 0
    drawn = (tmp_path / "both.svg").read_text()
    assert ">last<" in drawn
    assert ">last, run 2<" in drawn
