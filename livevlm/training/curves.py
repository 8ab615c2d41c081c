"""Curves: the picture of a training: `python -m livevlm.training.curves RUN/train.jsonl ... docs/training.svg`.

Several runs, of which each went on from the one before, are drawn one after the other.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Curves = dict[str, list[tuple[int, float]]]
# What each stage's figures are called in the picture.
SHOWN = {
    "vision": {"kind": "kind", "colour": "colour"},
    "fresh": {"kind": "kind", "colour": "colour"},
    "language": {"tokens": "answer tokens", "found": "best frame holds the answer"},
    "last": {"tokens": "answer tokens", "found": "best frame holds the answer"},
}
SMOOTH = 5  # reports that a point is the mean of


def main(argv: list[str]) -> int:
    """Draw."""
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    *sources, target = (Path(argument) for argument in argv)
    stages = {
        name if number == 1 else f"{name}, run {number}": curves
        for number, source in enumerate(sources, start=1)
        for name, curves in read(source).items()
    }
    # The same figures give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "livevlm", "svg.fonttype": "none"}):
        draw(stages).savefig(target, metadata={"Date": None})
    return 0


def read(path: Path) -> dict[str, Curves]:
    """Per stage and figure the (step, value) pairs; of a step that was reported twice, the last."""
    found: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for line in path.read_text(encoding="utf-8").splitlines():
        report = json.loads(line)
        for key, value in report.items():
            if key not in ("stage", "step", "minutes"):
                found[report["stage"]][key][report["step"]] = value
    return {
        stage: {key: sorted(points.items()) for key, points in curves.items()}
        for stage, curves in found.items()
    }


def draw(stages: dict[str, Curves]) -> Figure:
    """A column a stage: above the shares that are right, below the loss."""
    named = [name for name in stages if _kind(name) in SHOWN]
    figure = Figure(figsize=(3.6 * len(named), 5.0), layout="constrained")
    axes = figure.subplots(2, len(named), squeeze=False, sharex="col")
    for column, name in enumerate(named):
        for key, label in SHOWN[_kind(name)].items():
            _line(axes[0][column], stages[name].get(key, []), label)
        _line(axes[1][column], stages[name].get("loss", []), "loss")
        axes[0][column].set(title=name, ylabel="share right", ylim=(0, 1.01))
        axes[0][column].legend(loc="lower right", frameon=False)
        axes[1][column].set(xlabel="step", ylabel="loss", yscale="log")
    for row in axes:
        for axis in row:
            axis.grid(alpha=0.3)
            axis.spines[["top", "right"]].set_visible(False)
    return figure


def _kind(stage: str) -> str:
    """A stage's name without its run."""
    return stage.split(",")[0]


def _line(axis: Axes, points: list[tuple[int, float]], label: str) -> None:
    values = [value for _, value in points]
    means = [
        sum(part) / len(part)
        for end in range(1, len(values) + 1)
        if (part := values[max(0, end - SMOOTH) : end])
    ]
    axis.plot([step for step, _ in points], means, label=label)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
