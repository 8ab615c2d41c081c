"""A simulated day: what it counts is right, and it says so where it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from livevlm.bench import soak
from streams.ledger import Ledger

TOY = ["--model", "toy", "--threads", "1", "--json"]


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return result


def test_an_hour_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Lost and found, hurried, asked about: every picture is accounted for, every question answered, all time has passed."""
    words = ["--hours", "1", "--streams", "2", "--fps", "0.05", "--clip-s", "120"]
    assert soak.main([*words, *TOY]) == 0
    result = found(capsys)
    assert result["hours_run"] >= 1
    assert (result["asked"], result["answered"], result["wrong_counts"]) == (6, 6, 0)
    assert result["resident_100_mib"] > result["own_100_mib"] > 0
    assert result["state_mib"] > 1
    whole, keyframes = result["rows"]
    for row in (whole, keyframes):
        lost = sum(row[reason] for reason in ("backpressure", "skipped", "corrupt", "similar"))
        assert row["received"] == row["unsampled"] + row["encoded"] + row["waiting"] + lost
        assert row["received"] > 6500
        assert row["encoded"] + row["backpressure"] >= 160
        assert row["reconnects"] >= 10
    assert whole["skipped"] == 0 < keyframes["skipped"]


def test_a_picture_that_nobody_accounts_for_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code tells, not only the table."""
    come = Ledger.come

    def come_twice(ledger: Ledger, *, kept: bool) -> None:
        ledger.received += 1
        come(ledger, kept=kept)

    monkeypatch.setattr(Ledger, "come", come_twice)
    assert soak.main(["--hours", "0.02", "--fps", "0.2", "--clip-s", "30", *TOY]) == 1
    result = found(capsys)
    assert result["rows"][0]["unaccounted"] > 0
    assert result["wrong_counts"] > 0
