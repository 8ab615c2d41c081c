"""Mean: one checkpoint out of several of one model, each weight their mean: `python -m livevlm.training.mean A B --out C`.

Weights that were trained on from one another lie in one valley, and their middle is often better than either end (model soups,
Wortsman et al., arXiv 2203.05482).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def mean_of(folders: list[Path], out: Path) -> None:
    """Write to `out` the first checkpoint with the weights' mean, taken in float32. ValueError where they differ in shape."""
    states = [load_file(folder / WEIGHTS) for folder in folders]
    shapes = [{name: one.shape for name, one in state.items()} for state in states]
    for folder, found in zip(folders, shapes, strict=True):
        if found != shapes[0]:
            raise ValueError(f"{folder} is not of the same shape as {folders[0]}")
    means = {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(one.dtype)
        for name, one in states[0].items()
    }
    shutil.copytree(folders[0], out, dirs_exist_ok=True)
    save_file(means, out / WEIGHTS, metadata={"format": "pt"})


def main(argv: list[str]) -> int:
    """Take the mean."""
    parser = argparse.ArgumentParser(prog="python -m livevlm.training.mean", description=__doc__)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    mean_of(options.checkpoints, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
