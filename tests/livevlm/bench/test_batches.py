"""The benchmark of batches runs, and every stream is shown as much at every size."""

from __future__ import annotations

import json

import pytest

from livevlm.bench import batches


def test_every_size_of_batch_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that the number of streams is no multiple of; memories are full before anything is measured."""
    words = ["--model", "toy", "--threads", "1", "--streams", "3", "--batches", "1,2,4"]
    assert batches.main([*words, "--rounds", "2", "--budget-tokens", "96", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bench"], found["streams"], found["memory_tokens"]) == (
        "batches",
        3,
        1 + 96 + 128,
    )
    assert [row["batch_frames"] for row in found["rows"]] == [1, 2, 4]
    assert all(row["frames_per_s"] > 0 and row["cpu_ms_a_frame"] > 0 for row in found["rows"])
