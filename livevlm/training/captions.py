"""Train a checkpoint on pictures with captions: `python -m livevlm.training.captions --help`.

The model is any LLaVA-OneVision checkpoint that the daemon loads, and so is the outcome, OUT/checkpoint. Beside it lie
train.log, train.jsonl with a line for each step, and a snapshot that --resume goes on from.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from livevlm.cli import INTERRUPTED, fail
from livevlm.errors import ConfigError, LiveVLMError
from livevlm.training.captioner import PARTS, Captioner, open_captioner
from livevlm.training.optimize import Descent, cosine
from livevlm.training.pairs import Pairs, find_pairs

LOG_EVERY = 10
NAMED = 10  # of the pictures without a caption


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the outcome follows from, besides the checkpoint and the pairs.

    rate: the learning rate's peak. train: one of PARTS. precision: of the forward pass; weights and optimizer are
    float32.
    """

    steps: int = 1000
    batch: int = 16
    rate: float = 1e-4
    seed: int = 0
    train: str = "projector"
    precision: str = "bf16"
    question: str = "Describe the picture."

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1 or not 0 < self.rate < math.inf or self.seed < 0:
            raise ConfigError(
                "--steps and --batch must be at least 1, --lr above 0 and --seed not below 0"
            )

    @property
    def warmup(self) -> int:
        """Steps until the peak: a tenth of a short run."""
        return min(50, self.steps // 10)


class Notebook:
    """A run's folder: what is said, the figures of each step, and the snapshot."""

    def __init__(self, folder: Path) -> None:
        """ConfigError where the folder cannot be made."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be written to: {error.strerror}") from error
        self.snapshot, self.checkpoint = folder / "snapshot.pt", folder / "checkpoint"
        self._log, self._figures = folder / "train.log", folder / "train.jsonl"

    def say(self, line: str) -> None:
        """A line on standard output and in train.log."""
        print(line, flush=True)
        with self._log.open("a", encoding="utf-8") as file:
            print(line, file=file)

    def record(self, step: int, loss: float, rate: float) -> None:
        """A line in train.jsonl."""
        with self._figures.open("a", encoding="utf-8") as file:
            print(json.dumps({"step": step, "loss": loss, "lr": rate}), file=file)

    def cut(self, steps: int) -> None:
        """Forget the figures of later steps: they will be taken again."""
        if self._figures.exists():
            lines = self._figures.read_text(encoding="utf-8").splitlines(keepends=True)
            self._figures.write_text("".join(lines[:steps]), encoding="utf-8")


class Lessons:
    """The steps of a run, each of which follows from its number and the weights before it."""

    def __init__(self, captioner: Captioner, pairs: Pairs, plan: Plan) -> None:
        self._captioner, self._pairs, self._plan = captioner, pairs, plan
        self._weights = dict(captioner.open(plan.train))
        # An untied head is an embedding read backwards; by its name the optimizer treats it as one.
        self._descent = Descent(
            (f"embed_{name}" if name.startswith("lm_head") else name, one)
            for name, one in self._weights.items()
        )
        self._origin = {**asdict(plan), "pairs": pairs.digest()}

    def take(self, step: int) -> tuple[float, float]:
        """Learn from the batch of a step; gives its loss and learning rate. LiveVLMError where the loss is no number."""
        plan, captioner = self._plan, self._captioner
        batch = self._pairs.draw(plan.seed, step, plan.batch)
        images = np.stack([self._pairs.read(pair, captioner.frame_size) for pair in batch])
        mixed = plan.precision == "bf16"
        with torch.autocast(captioner.device.type, torch.bfloat16, enabled=mixed):
            loss = captioner.loss(images, [pair.caption for pair in batch])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise LiveVLMError(
                f"the loss is {value} at step {step}: begin again with a smaller --lr"
            )
        rate = cosine(step - 1, plan.steps, plan.rate, plan.warmup)
        self._descent.step(loss, rate)
        return value, rate

    def save(self, path: Path, step: int) -> None:
        """Write what `restore` takes; the file is either the old one or all of the new one."""
        state = {
            "origin": self._origin,
            "step": step,
            "weights": {name: one.detach() for name, one in self._weights.items()},
            "descent": self._descent.state(),
        }
        whole = path.with_suffix(".part")
        torch.save(state, whole)
        whole.replace(path)

    def restore(self, path: Path) -> int:
        """Go on from a snapshot; gives back the steps that were done. ConfigError where it is of another run."""
        place = self._captioner.device
        state: dict[str, Any] = torch.load(path, map_location=place, weights_only=True)
        for key, value in self._origin.items():
            if state["origin"][key] != value:
                raise ConfigError(
                    f"{path} is of a run with other {key}: give the same as then, or another --out"
                )
        for name, one in self._weights.items():
            with torch.no_grad():
                one.copy_(state["weights"][name])
        self._descent.restore(state["descent"])
        return int(state["step"])


def train(lessons: Lessons, notebook: Notebook, *, done: int, steps: int, save_every: int) -> None:
    """Take the lessons after the first `done`, with a snapshot every so many steps and after the last."""
    began, losses = time.monotonic(), list[float]()
    todo = range(done + 1, steps + 1)
    for step in track(todo, "captions", total=steps, completed=done, transient=True):
        loss, rate = lessons.take(step)
        losses.append(loss)
        notebook.record(step, loss, rate)
        if step % LOG_EVERY == 0 or step == steps:
            minutes, mean = (time.monotonic() - began) / 60, sum(losses) / len(losses)
            notebook.say(f"step {step}/{steps} loss {mean:.4f} lr {rate:.2e} {minutes:.1f} min")
            losses.clear()
        if step % save_every == 0 or step == steps:
            lessons.save(notebook.snapshot, step)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m livevlm.training.captions",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    plain = Plan()
    folders = {
        "--model": "a LLaVA-OneVision checkpoint",
        "--data": "pictures with a .txt of the same stem each, or with captions.jsonl",
        "--out": "for the checkpoint, the snapshot and the log",
    }
    for name, text in folders.items():
        parser.add_argument(name, type=Path, required=True, metavar="FOLDER", help=text)
    parser.add_argument("--steps", type=int, default=plain.steps)
    parser.add_argument("--batch", type=int, default=plain.batch, help="pairs a step")
    parser.add_argument("--lr", type=float, default=plain.rate, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=plain.seed)
    parser.add_argument("--question", default=plain.question, help="what the captions answer")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default=plain.precision)
    parser.add_argument("--train", choices=tuple(PARTS), default=plain.train, help="what learns")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as torch chooses")
    parser.add_argument("--save-every", type=int, default=500, help="steps between snapshots")
    parser.add_argument("--resume", action="store_true", help="go on from the snapshot, if any")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> None:
    """Train and write the checkpoint. Raises ConfigError and ModelNotFound for what cannot be used."""
    plan = Plan(
        steps=options.steps, batch=options.batch, rate=options.lr, seed=options.seed, train=options.train,
        precision=options.precision, question=options.question,
    )  # fmt: skip
    if options.save_every < 1:
        raise ConfigError("--save-every must be at least 1")
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    pairs, notebook = find_pairs(options.data), Notebook(options.out)
    if options.model.resolve() == notebook.checkpoint.resolve():
        raise ConfigError(f"{options.model} would be overwritten: give another --out")
    if notebook.snapshot.exists() and not options.resume:
        raise ConfigError(f"{options.out} holds a run: go on with --resume, or give another --out")
    notebook.say(f"{len(pairs)} pairs in {options.data}")
    if pairs.bare:
        names = ", ".join(pairs.bare[:NAMED]) + (", ..." if len(pairs.bare) > NAMED else "")
        notebook.say(f"warning: {len(pairs.bare)} without a caption are left out: {names}")
    place = torch.device(options.device)
    captioner = open_captioner(options.model, device=place, question=plan.question)
    lessons, done = Lessons(captioner, pairs, plan), 0
    if notebook.snapshot.exists():
        done = lessons.restore(notebook.snapshot)
        notebook.say(f"going on after step {done}")
    notebook.cut(done)
    train(lessons, notebook, done=done, steps=plan.steps, save_every=options.save_every)
    captioner.save(notebook.checkpoint)
    notebook.say(f"written: {notebook.checkpoint}")


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit code, as those of `livevlm` do."""
    try:
        run(parse(argv))
    except LiveVLMError as error:
        return fail(error.message, error.exit_code)
    except KeyboardInterrupt:
        return fail("broken off; --resume goes on from the last snapshot", INTERRUPTED)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
