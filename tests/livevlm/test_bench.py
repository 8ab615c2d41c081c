"""The benchmarks run, and what they count is right. How long things take is theirs to say, not a test's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from livevlm.bench import answer, ingest, memory, recording
from livevlm.bench.recording import REACH_S, draw_questions, footage_until
from streams.synthetic import Script


def last_line(text: str) -> dict[str, Any]:
    """The JSON object that every benchmark ends with."""
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def by_method(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each method, in the order of stream length."""
    return {
        method: [row for row in rows if row["method"] == method]
        for method in ("vsb+par", "full", "rekv")
    }


def test_memory_is_flat_for_ours_and_grows_with_everything_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Constant to the byte once the budget is full; everything kept grows with the stream; ReKV grows off the device."""
    assert (
        memory.main(["--model", "toy", "--frames", "128,256,512", "--threads", "1", "--json"]) == 0
    )
    rows = by_method(last_line(capsys.readouterr().out)["rows"])
    assert len({row["device_bytes"] for row in rows["vsb+par"]}) == 1
    assert [row["long_tokens"] for row in rows["vsb+par"]] == [1024] * 3
    full = [row["device_bytes"] for row in rows["full"]]
    assert full[0] < full[1] < full[2]
    host = [row["host_bytes"] for row in rows["rekv"]]
    assert host[0] < host[1] < host[2]
    assert rows["vsb+par"][-1]["evicted_tokens"] == 512 * 16 - 1024 - 128


def test_answers_read_the_same_amount_however_long_the_stream(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is read is bounded for ours and for ReKV, and everything for the reference; the table and the JSON line agree."""
    words = ["--model", "toy", "--frames", "128,512", "--threads", "1", "--repeat", "1"]
    assert answer.main(words) == 0
    out = capsys.readouterr().out
    rows = by_method(last_line(out)["rows"])
    assert {row["context_tokens"] for row in rows["vsb+par"]} == {1 + 400 + 128}
    assert {row["context_tokens"] for row in rows["rekv"]} == {1 + 64 * 16}
    assert [row["context_tokens"] for row in rows["full"]] == [1 + 128 * 16, 1 + 512 * 16]
    assert all(row["ttft_ms"] > 0 for method in rows.values() for row in method)
    assert out.count("vsb+par") >= 4


def test_ingest_reports_its_stages_and_the_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    """Frames a second, the stages' shares, and what a matrix product reaches on the same machine."""
    assert ingest.main(["--model", "toy", "--frames", "16", "--threads", "1", "--json"]) == 0
    found = last_line(capsys.readouterr().out)
    assert found["gemm_gflops"] > 0
    for row in found["rows"]:
        assert row["frames_per_s"] > 0
        assert min(row[stage] for stage in ("vision_ms", "prefill_ms", "compress_ms")) > 0


def test_a_recording_is_asked_about_all_its_parts() -> None:
    """One question a part, in order, the same ones each time; none looks further back than memory reaches."""
    script = Script(12.0, seed=5)
    asked = draw_questions(script, 600, 10)
    assert [one.at_s // 60 for one in asked] == list(range(10))
    assert asked == draw_questions(script, 600, 10)
    assert len({one.exchange.type for one in asked}) == 10
    assert all(len(footage_until(script, one.at_s).views) <= REACH_S + 1 for one in asked)


def test_a_recording_is_drawn_replayed_and_marked(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way with the toy model, whose nonsense is all wrong; the last line says so."""
    words = ["--minutes", "1", "--questions", "2", "--model", "toy", "--json"]
    assert recording.main(words) == 0
    found = last_line(capsys.readouterr().out)
    assert (found["right"], found["asked"]) == (0, 2)
    assert found["video_bytes"] > 10_000
    assert all(row["truth"] and row["answer"] != row["truth"] for row in found["rows"])


def test_killed_processes_lose_nothing() -> None:
    """A few rounds of SIGKILL while blocks are appended: each start succeeds, and every reported block is there."""
    # In a process of its own: it forks, and this one has threads.
    command = [sys.executable, "-m", "livevlm", "bench", "crashes", "--rounds", "4"]
    done = subprocess.run([*command, "--longest-ms", "30"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = last_line(done.stdout)["rows"]
    assert (row["lost_blocks"], row["faults"]) == (0, 0)
    assert row["killed_while_writing"] >= 2
    assert row["blocks"] >= 2
