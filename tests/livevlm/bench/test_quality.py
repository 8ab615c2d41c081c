"""The benchmark of memories as a whole, with the toy model, whose nonsense is all wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livevlm.bench import quality
from livevlm.errors import ConfigError

WORDS = [
    "--model", "toy", "--threads", "1", "--minutes", "4", "--questions", "1", "--budgets", "1/4,1/16",
]  # fmt: skip


def test_memories_are_compared_and_the_last_line_is_one_json_object(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Every type and distance of each memory, what it costs, what was skipped and why, and that nothing follows from types that
    the model cannot answer; with --plot, a picture.
    """
    picture = tmp_path / "quality.svg"
    words = [*WORDS, "--memories", "vsb+par,full+full", "--plot", str(picture)]
    assert quality.main(words) == 0
    out, err = capsys.readouterr()
    found = json.loads(out.splitlines()[-1])
    assert found["bench"] == "quality"
    assert [(row["memory"], row["of_everything"]) for row in found["rows"]] == [
        ("vsb+par", "1/4"), ("full+full", "full"),
    ]  # fmt: skip
    for row in found["rows"]:
        assert row["frames"] == 60
        assert row["device_bytes"] > 0
        assert row["ttft_ms"] > 0
        asked = {(cell["type"], cell["minutes"]): cell for cell in row["cells"]}
        assert {("past_did", 1.0), ("past_sign", 1.0), ("now_count", None)} <= set(asked)
        assert all(cell["right"] == 0 < cell["asked"] for cell in asked.values())
    assert set(found["weak"]) == {type_ for type_, _ in asked}
    assert found["left_out"] == ["past_when"]
    assert [one["of_everything"] for one in found["skipped"]] == ["1/16"]
    assert "skipped at 1/16 of 4 min, vsb+par" in err
    assert "weak: past_did" in out
    assert "no type is left" in out
    assert "vsb+par" in picture.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [["--memories", "vsb"], ["--minutes", "0.1"]])
def test_what_cannot_be_measured_is_refused(words: list[str]) -> None:
    """A memory of no name, and streams too short to ask about, with the way out."""
    with pytest.raises(ConfigError, match=r"did you mean|longer --minutes"):
        quality.main([*WORDS, "--memories", "full+full", *words])


@pytest.mark.parametrize("shares", ["0", "1", "4", "1/0", "half"])
def test_shares_lie_between_nothing_and_everything(
    shares: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is bad usage."""
    with pytest.raises(SystemExit, match="2"):
        quality.main([*WORDS, "--budgets", shares])
    assert "--budgets" in capsys.readouterr().err
