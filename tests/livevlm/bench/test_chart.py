"""The picture of a benchmark of memories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from livevlm.bench.chart import draw, save


def row(memory: str, minutes: float, device: int, ttft: float) -> dict[str, Any]:
    """What the chart reads of a row."""
    return {
        "memory": memory, "minutes": minutes, "frames": int(15 * minutes), "device_bytes": device,
        "share": 0.8, "low": 0.7, "high": 0.9, "ttft_ms": ttft,
    }  # fmt: skip


ROWS = [
    row("full+par", 16, 9_000_000, 20.0), row("full+par", 125, 90_000_000, 30.0),
    row("vsb+par", 16, 900_000, 10.0), row("vsb+par", 125, 900_000, 11.0), row("vsb+par", 125, 500_000, 9.0),
]  # fmt: skip


def test_accuracy_is_of_the_longest_streams_and_time_of_all() -> None:
    """A line a memory in both panels: shares against device memory, times against length, of two shares the dearer."""
    accuracy, speed = draw(ROWS).axes
    assert "125 minutes" in accuracy.get_title()
    lines = {str(line.get_label()): line for line in speed.lines}
    assert list(lines) == ["full+par", "vsb+par"]
    assert lines["vsb+par"].get_ydata().tolist() == [10.0, 11.0]  # type: ignore[union-attr]
    drawn = [bars[0].get_xdata() * 2**20 for bars in accuracy.containers]
    assert [points.tolist() for points in drawn] == [[90_000_000], [500_000, 900_000]]


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    """An SVG with the memories' names as text; what could not be scored has no point."""
    rows = [*ROWS, row("last+par", 125, 7, 8.0) | {"share": None, "low": None, "high": None}]
    for name in ("one.svg", "two.svg"):
        save(rows, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "vsb+par" in (tmp_path / "one.svg").read_text(encoding="utf-8")
