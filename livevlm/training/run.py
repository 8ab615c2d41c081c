"""Run: a folder in which a training keeps its log, its figures and the snapshots that it goes on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from livevlm.training.optimize import Descent

LOG_EVERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """out: the folder. device, precision: where and in what the forward passes compute ("bf16" or "fp32"); weights and
    optimizer are always float32. save_every: steps between snapshots.
    """

    out: Path
    device: torch.device
    precision: str = "bf16"
    save_every: int = 500

    def __post_init__(self) -> None:
        assert self.precision in ("bf16", "fp32"), self.precision
        self.out.mkdir(parents=True, exist_ok=True)

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision, or nothing."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def log(self, line: str) -> None:
        """A line on standard output and in train.log."""
        print(line, flush=True)
        with (self.out / "train.log").open("a", encoding="utf-8") as file:
            print(line, file=file)

    def record(self, **figures: float | str) -> None:
        """A line of figures in train.jsonl."""
        with (self.out / "train.jsonl").open("a", encoding="utf-8") as file:
            print(json.dumps(figures), file=file)

    def stage(
        self,
        name: str,
        model: nn.Module,
        descent: Descent,
        steps: int,
        learn: Callable[[int], Mapping[str, float]],
    ) -> None:
        """Call `learn` with every step from 1 to `steps` that earlier runs have not done; it takes the step and gives figures.

        `learn` must follow from its step alone; so a run that was broken off ends as if it had run through.
        """
        snapshot = self.out / f"{name}.snapshot.pt"
        done, minutes = self._restore(snapshot, model, descent)
        began, figures = time.monotonic(), dict[str, list[float]]()
        with _bar() as bar:
            task = bar.add_task(name, total=steps, completed=done)
            for step in range(done + 1, steps + 1):
                for key, value in learn(step).items():
                    figures.setdefault(key, []).append(value)
                bar.advance(task)
                last = step == steps
                if step % LOG_EVERY == 0 or last:
                    spent = minutes + (time.monotonic() - began) / 60
                    means = {key: fmean(values) for key, values in figures.items()}
                    self._report(name, step, steps, spent, means)
                    figures.clear()
                if step % self.save_every == 0 or last:
                    spent = minutes + (time.monotonic() - began) / 60
                    self._save(snapshot, model, descent, step, spent)

    def _report(
        self, name: str, step: int, steps: int, minutes: float, figures: Mapping[str, float]
    ) -> None:
        shown = " ".join(f"{key} {value:.3f}" for key, value in figures.items())
        self.log(f"{name} {step}/{steps} {minutes:.1f} min {shown}")
        self.record(stage=name, step=step, minutes=round(minutes, 2), **figures)

    def _save(
        self, path: Path, model: nn.Module, descent: Descent, step: int, minutes: float
    ) -> None:
        state = {
            "step": step,
            "minutes": minutes,
            "model": model.state_dict(),
            "descent": descent.state(),
        }
        whole = path.with_suffix(".part")
        torch.save(state, whole)
        whole.replace(path)

    def _restore(self, path: Path, model: nn.Module, descent: Descent) -> tuple[int, float]:
        """Steps and minutes of an earlier run, whose weights and optimizer are taken over."""
        if not path.exists():
            return 0, 0.0
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        model.load_state_dict(state["model"])
        descent.restore(state["descent"])
        self.log(f"{path.stem}: going on after step {state['step']}")
        return int(state["step"]), float(state["minutes"])


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        transient=True,
    )
