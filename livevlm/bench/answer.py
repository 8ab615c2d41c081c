"""Time to first token against the length of the stream, for this memory and for the baselines, in one run on one model."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from livevlm.answer import Answering
from livevlm.backbone import Backbone
from livevlm.bench.filling import METHODS, fill, make_memory, sample_block
from livevlm.bench.report import arguments, machine, median_ms, numbers, report
from livevlm.messages import AsOf, Question
from livevlm.models import load_backbone
from memory import StreamMemory

QUESTION = "What colour was the star that was in view before the circle?"


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = arguments("answer", __doc__ or "")
    parser.add_argument("--frames", type=numbers, default=numbers("64,256,1024,4096,16384"))
    parser.add_argument(
        "--budget-tokens", type=int, default=0, help="long-term tokens; 0: what 64 frames cost"
    )
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--methods", default=",".join(METHODS))
    options = parser.parse_args(argv)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    budget = options.budget_tokens or 64 * backbone.own_grid[0] * backbone.own_grid[1]
    rows = []
    for method in options.methods.split(","):
        rows += measure(
            backbone, method, budget=budget, lengths=options.frames, repeat=options.repeat
        )
    settings = {
        "model": options.model,
        "dtype": str(backbone.dtype),
        "budget_tokens": budget,
        **machine(backbone.device),
    }
    report("answer", settings, rows, as_json=options.json)
    return 0


def measure(
    backbone: Backbone, method: str, *, budget: int, lengths: tuple[int, ...], repeat: int
) -> list[dict[str, Any]]:
    """One row a length of stream."""
    memory = make_memory(backbone, method, budget_tokens=budget)
    rows = []
    for frames in fill(memory, sample_block(backbone, memory), lengths):
        answering = ask(backbone, memory, frames)
        elapsed = median_ms(lambda now=frames: ask(backbone, memory, now), backbone.device, repeat)  # type: ignore[misc]
        rows.append({
            "method": method, "frames": frames, "ttft_ms": elapsed, "context_tokens":
            answering.finish("completed").context_tokens,
            "memory_tokens": memory.tiers.total, "device_bytes": memory.stats().device_bytes,
            "host_bytes": memory.stats().host_bytes,
        })  # fmt: skip
        print(f"{method} {frames} frames: {elapsed:.1f} ms", file=sys.stderr)
    return rows


def ask(backbone: Backbone, memory: StreamMemory, frames: int) -> Answering:
    """From the question to its first token, all that the engine does for it."""
    question = Question(id="bench", stream="bench", text=QUESTION, max_tokens=2)
    now = time.monotonic()
    answering = Answering(
        backbone, question, backbone.codec.layout(""), asked=now, clock=time.monotonic
    )
    answering.begin(
        memory,
        AsOf(stream_s=float(frames), utc=float(frames)),
        flushed=now,
        retrieved=lambda _seconds: None,
    )
    answering.advance()
    return answering
