"""The benchmark of page indexes runs, and what it counts is right."""

from __future__ import annotations

import json
from typing import Any

import faiss
import numpy as np
import pytest

from livevlm.bench import index
from livevlm.bench.index import KINDS, Task, best, draw

KEYS = {"kind", "dim", "pages", "part", "recall", "lookup_ms", "build_s", "page_bytes"}


def measured(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What the benchmark says in its last line."""
    assert index.main(["--dims", "8", "--questions", "10", "--threads", "1", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_every_kind_has_its_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """One row a kind, size and part of the stream, with all keys; exact search finds everything; the table is there."""
    words = [
        "--dims",
        "8",
        "--pages",
        "600,900",
        "--parts",
        "1,0.2",
        "--questions",
        "10",
        "--threads",
        "1",
    ]
    assert index.main(words) == 0
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert found["bench"] == "index"
    assert found["faiss_threads"] == 1
    rows = found["rows"]
    assert [(row["kind"], row["pages"], row["part"]) for row in rows] == [
        (kind, pages, part) for pages in (600, 900) for kind in KINDS for part in (1, 0.2)
    ]
    for row in rows:
        assert set(row) == KEYS
        assert row["lookup_ms"] > 0
        assert row["build_s"] > 0
        assert row["page_bytes"] >= 8
        assert 0 < row["recall"] <= 1
        if row["kind"] in ("flat", "archive"):
            assert row["recall"] > 0.999
    assert out.count("ivf-whole") == 4 + 4


def test_the_archive_is_measured_with_its_stretches(capsys: pytest.CaptureFixture[str]) -> None:
    """Past its threshold the archive pays for cells; flat pays for the numbers alone."""
    words = ("--pages", "9000", "--kinds", "archive,flat", "--parts", "1", "--json")
    archive, flat = measured(capsys, *words)["rows"]
    assert flat["page_bytes"] == pytest.approx(32, abs=0.1)
    assert archive["page_bytes"] > 32 + 8 + 8 + 4
    assert archive["recall"] > 0.9


def test_what_was_trained_on_the_beginning_finds_less(capsys: pytest.CaptureFixture[str]) -> None:
    """The kinds ivf and ivf-whole differ in what they were trained on, and pages drift enough for that to matter."""
    words = ("--pages", "6000", "--kinds", "ivf,ivf-whole", "--parts", "1", "--json")
    quarter, whole = measured(capsys, *words)["rows"]
    assert quarter["recall"] < whole["recall"] - 0.1


def test_what_takes_too_many_bytes_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that would not fit is said to be left out; the others are measured."""
    monkeypatch.setattr(index, "MOST_BYTES", 600 * 8 * 4)
    assert (
        index.main(["--dims", "8", "--pages", "600,601", "--kinds", "flat", "--threads", "1"]) == 0
    )
    said = capsys.readouterr()
    assert {row["pages"] for row in json.loads(said.out.splitlines()[-1])["rows"]} == {600}
    assert "601 pages of 8 numbers are left out" in said.err


def test_a_kind_that_does_not_exist_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names it, and those that there are."""
    with pytest.raises(SystemExit, match="2"):
        index.parse(["--kinds", "flat,lsh"])
    assert "unknown kind 'lsh'; there are archive, flat" in capsys.readouterr().err


def test_pages_look_like_those_of_a_stream() -> None:
    """The same each time; pages that follow one another are alike, later ones lie elsewhere, and all share an offset."""
    task = draw(4000, 16, count=25, questions=5)
    again = draw(4000, 16, count=25, questions=5)
    assert np.array_equal(task.pages, again.pages)
    assert np.array_equal(task.questions, again.questions)
    assert (task.pages.dtype, task.questions.dtype) == (np.float32, np.float32)
    step = np.square(np.diff(task.pages, axis=0)).mean()
    far = np.square(task.pages[2000:] - task.pages[:2000]).mean()
    assert step < far / 3
    assert np.abs(task.pages.mean(axis=0)).mean() > 1.5
    early, late = np.split(draw(40_000, 16, count=25, questions=1).pages, 2)
    assert np.square(early.mean(axis=0) - late.mean(axis=0)).mean() > 0.1


def test_ranges_hold_their_part_and_the_best_lie_within() -> None:
    """Ranges lie within the stream and hold at least what is asked for; the truth is numbered in the whole stream."""
    pages = np.arange(100, dtype=np.float32)[:, None]
    task = Task(pages, np.ones((50, 1), np.float32), count=3)
    ranges = task.ranges(0.1)
    assert {high - low for low, high in ranges} == {10}
    assert min(low for low, _ in ranges) >= 0
    assert max(high for _, high in ranges) <= 100
    assert len(set(ranges)) > 10
    assert {high - low for low, high in task.ranges(0.001)} == {3}
    assert best(task, np.ones(1, np.float32), 20, 30) == {27, 28, 29}


def test_threads_are_set_by_the_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """FAISS works with as many threads as were asked for, and the report says how many."""
    before = faiss.omp_get_max_threads()
    try:
        found = measured(capsys, "--pages", "100", "--kinds", "flat", "--threads", "2", "--json")
        assert found["faiss_threads"] == faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)
