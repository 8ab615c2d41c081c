"""Invigilator: what `livevlm eval` does once its words are understood. Only this part of it needs the model's libraries."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from livevlm.assembly import build_backbone
from livevlm.config import Config
from livevlm.training.evaluate import Marked, as_json, table
from livevlm.training.exam import film, sit
from livevlm.training.pairing import SEEN, UNSEEN
from streams.staging import Pair


def invigilate(args: argparse.Namespace, config: Config, types: Sequence[str]) -> int:
    """Film, ask and print; the exit code."""
    results = {
        name: _examine(args, config, pairs, types)
        for name, pairs in (("seen", SEEN), ("unseen", UNSEEN))
    }
    if not args.json:
        print(table(results["seen"], results["unseen"], args.frames))
    print(
        json.dumps(
            {"eval": config.model.name, "frames": args.frames} | json.loads(as_json(results))
        )
    )
    return 0


def _examine(
    args: argparse.Namespace, config: Config, pairs: Sequence[Pair], types: Sequence[str]
) -> list[Marked]:
    backbone = build_backbone(config)
    rng = np.random.default_rng(args.seed)
    scenes = film(rng, 12 * args.recordings, pairs, backbone.frame_size[0])
    marked: list[Marked] = []
    for frames in args.frames:
        for number in range(args.recordings):
            marked += sit(backbone, config, scenes, rng, frames=frames, types=types)
            print(f"{frames} frames: {number + 1}/{args.recordings}", end="\r", file=sys.stderr)
    print(file=sys.stderr)  # What comes next has a line of its own.
    return marked
