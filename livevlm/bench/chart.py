"""Chart: accuracy against device memory, and time to first token against the length of the stream, as an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livevlm.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
_LINES = {"par": "-", "full": ":", "rekv": "--"}


def require() -> None:
    """ConfigError where there is nothing to draw with: better said before an hour of measuring than after it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ConfigError("--plot draws with matplotlib: pip install matplotlib") from error


def save(rows: Rows, path: Path) -> None:
    """Draw the rows of `livevlm.bench.tally.row`. The same figures give the same file."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "livevlm", "svg.fonttype": "none"}):
        draw(rows).savefig(path, format="svg", metadata={"Date": None})


def draw(rows: Rows) -> Figure:
    """Two panels: the longest streams' accuracy, and all lengths' time to first token. A line a memory: its colour says what
    is retained, its dashes what reads.
    """
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(str(row["memory"]) for row in rows))
    # The legend has a line a memory.
    figure = Figure(figsize=(11.0, max(4.6, 0.22 * len(names))), layout="constrained")
    accuracy, speed = figure.subplots(1, 2)
    retentions = list(dict.fromkeys(name.split("+")[0] for name in names))
    longest = max(row["minutes"] for row in rows)
    for name in names:
        own = [row for row in rows if row["memory"] == name]
        parts = name.split("+")
        style = {
            "color": f"C{retentions.index(parts[0])}",
            "linestyle": _LINES.get(parts[1], "-"),
            # What has more to its name than these two stands out.
            "linewidth": 2.5 if len(parts) > 2 else 1.2,
            "label": name,
        }
        _accuracy(accuracy, [row for row in own if row["minutes"] == longest], style)
        _speed(speed, own, style)
    accuracy.set(
        title=f"streams of {longest:g} minutes", xlabel="device memory, MiB", ylabel="share right"
    )
    accuracy.set(xscale="log", ylim=(0, 1.01))
    speed.set(title="median over questions", xlabel="frames seen", ylabel="first token, ms")
    speed.set(xscale="log", ylim=(0, None))
    lengths = sorted({row["frames"] for row in rows})
    speed.set_xticks(lengths, [f"{length:,}" for length in lengths], minor=False)
    speed.set_xticks([], minor=True)
    for axis in (accuracy, speed):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *speed.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8
    )
    return figure


def _accuracy(axis: Axes, rows: Rows, style: Mapping[str, Any]) -> None:
    points = sorted(
        (row for row in rows if row["share"] is not None), key=lambda row: row["device_bytes"]
    )
    values = [row["share"] for row in points]
    below = [row["share"] - row["low"] for row in points]
    above = [row["high"] - row["share"] for row in points]
    axis.errorbar(
        [row["device_bytes"] / 2**20 for row in points],
        values,
        yerr=(below, above),
        marker="o",
        markersize=4,
        elinewidth=0.4,
        **style,
    )


def _speed(axis: Axes, rows: Rows, style: Mapping[str, Any]) -> None:
    """Of several shares at a length, the dearest."""
    by_length: dict[int, float] = {}
    for row in rows:
        by_length[row["frames"]] = max(row["ttft_ms"], by_length.get(row["frames"], 0.0))
    axis.plot(*zip(*sorted(by_length.items()), strict=True), marker="o", markersize=4, **style)
