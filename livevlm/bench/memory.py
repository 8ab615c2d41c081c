"""Bytes against the length of the stream, for this memory and for the baselines,
and how many frames fit the same device memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livevlm.backbone import Backbone
from livevlm.bench.answer import ask
from livevlm.bench.filling import METHODS, fill, make_memory, sample_block
from livevlm.bench.report import arguments, machine, numbers, report
from livevlm.models import load_backbone


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = arguments("memory", __doc__ or "")
    parser.add_argument("--frames", type=numbers, default=numbers("64,256,1024,4096,16384"))
    parser.add_argument(
        "--budget-tokens", type=int, default=0, help="long-term tokens; 0: what 64 frames cost"
    )
    parser.add_argument("--methods", default=",".join(METHODS))
    options = parser.parse_args(argv)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    budget = options.budget_tokens or 64 * backbone.own_grid[0] * backbone.own_grid[1]
    rows = []
    for method in options.methods.split(","):
        rows += measure(backbone, method, budget=budget, lengths=options.frames)
    per_token = backbone.kv.bytes_per_token(backbone.dtype)
    settings = {
        "model": options.model, "dtype": str(backbone.dtype), "budget_tokens": budget, "bytes_per_token": per_token,
        **machine(backbone.device),
    }  # fmt: skip
    report("memory", settings, rows, as_json=options.json)
    return 0


def measure(
    backbone: Backbone, method: str, *, budget: int, lengths: tuple[int, ...]
) -> list[dict[str, Any]]:
    """One row a length of stream. `of_everything`: the share of the bytes that keeping every token would take."""
    memory = make_memory(backbone, method, budget_tokens=budget)
    frame_bytes = (
        backbone.own_grid[0] * backbone.own_grid[1] * backbone.kv.bytes_per_token(backbone.dtype)
    )
    rows = []
    for frames in fill(memory, sample_block(backbone, memory), lengths):
        ask(backbone, memory, frames)  # so that the page table is counted too
        stats = memory.stats()
        rows.append({
            "method": method, "frames": frames, "device_bytes": stats.device_bytes, "host_bytes": stats.host_bytes,
            "long_tokens": stats.tokens.long, "short_tokens": stats.tokens.short, "evicted_tokens": stats.evicted_tokens,
            "of_everything": stats.device_bytes / (frames * frame_bytes),
        })  # fmt: skip
    return rows
