"""How many frames a second become memory, and what share of the machine's matrix speed that is.

With --cameras N: N real RTSP cameras at once, all the way from their sockets into memory.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch

from livevlm.backbone import Backbone
from livevlm.bench import cameras
from livevlm.bench.filling import random_frames
from livevlm.bench.newstream import new_stream
from livevlm.bench.report import arguments, machine, median_ms, report, synchronise
from livevlm.models import load_backbone


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = arguments("ingest", __doc__ or "")
    parser.add_argument("--frames", type=int, default=256)
    parser.add_argument("--budget-tokens", type=int, default=1024)
    cameras.add_arguments(parser)
    options = parser.parse_args(argv)
    if options.cameras:
        return cameras.run(options)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    rows = [
        measure(backbone, frames=options.frames, chunk=chunk, budget=options.budget_tokens)
        for chunk in (1, 4, 16)
    ]
    settings = {
        "model": options.model, "dtype": str(backbone.dtype), "budget_tokens": options.budget_tokens,
        "gemm_gflops": gemm_gflops(backbone), **machine(backbone.device),
    }  # fmt: skip
    report("ingest", settings, rows, as_json=options.json)
    return 0


def measure(backbone: Backbone, *, frames: int, chunk: int, budget: int) -> dict[str, object]:
    """Frames a second at one chunk size, and the milliseconds a frame of each stage."""
    spent: dict[str, float] = defaultdict(float)

    def stage(name: str, seconds: float) -> None:
        synchronise(backbone.device)
        spent[name] += seconds

    ingest = new_stream(backbone, chunk=chunk, budget=budget, stage=stage)
    pictures = random_frames(frames, backbone.frame_size)
    # The budget is filled first: a young memory is cheaper than one that lives.
    for start in range(0, len(pictures), chunk):
        ingest.add(pictures[start : start + chunk])
    later = [replace(one, pts_s=one.pts_s + frames) for one in pictures]
    spent.clear()
    began = time.perf_counter()
    for start in range(0, len(later), chunk):
        ingest.add(later[start : start + chunk])
    synchronise(backbone.device)
    elapsed = time.perf_counter() - began
    each = {f"{name}_ms": 1000 * spent[name] / frames for name in ("vision", "prefill", "compress")}
    return {"chunk_frames": chunk, "frames": frames, "frames_per_s": frames / elapsed, **each}


def gemm_gflops(backbone: Backbone, side: int = 1024) -> float:
    """What one large matrix product reaches here, in GFLOP/s: the ceiling."""
    a = torch.randn(side, side, device=backbone.device).to(backbone.dtype)
    return 2 * side**3 / median_ms(lambda: a @ a, backbone.device, 5) / 1e6
