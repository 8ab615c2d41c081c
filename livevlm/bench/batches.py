"""Whether streams that share a batch are taken in faster: frames a second of many streams that have one frame each waiting."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

from livevlm.backbone import Backbone
from livevlm.bench.filling import random_frames
from livevlm.bench.newstream import new_stream
from livevlm.bench.report import arguments, machine, numbers, report, synchronise
from livevlm.ingest import StreamIngest, add_together
from livevlm.models import load_backbone

FILL = 16  # frames at once while the memories are filled


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = arguments("batches", __doc__ or "")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--batches", type=numbers, default=numbers("1,2,4,8,16"))
    parser.add_argument("--budget-tokens", type=int, default=0, help="0: the model's own")
    parser.add_argument("--rounds", type=int, default=5, help="frames that each stream has")
    options = parser.parse_args(argv)
    backbone = load_backbone(
        options.model, device=options.device, dtype=options.dtype, threads=options.threads
    )
    streams = [_filled(backbone, options.budget_tokens) for _ in range(options.streams)]
    rows = measure(backbone, streams, batches=options.batches, rounds=options.rounds)
    settings = {
        "model": options.model,
        "streams": options.streams,
        "memory_tokens": streams[0].memory.tiers.total,
        **machine(backbone.device),
    }
    report("batches", settings, rows, as_json=options.json)
    return 0


def _filled(backbone: Backbone, budget: int) -> StreamIngest:
    """A stream whose memory is full: a young one is cheaper than one that lives."""
    ingest = new_stream(backbone, chunk=FILL, budget=budget)
    pictures = random_frames(FILL, backbone.frame_size)
    for turn in itertools.count():
        if ingest.memory.stats().evicted_tokens:
            return ingest
        ingest.add([replace(one, pts_s=one.pts_s + FILL * turn) for one in pictures])
    raise AssertionError


def measure(
    backbone: Backbone, streams: Sequence[StreamIngest], *, batches: Sequence[int], rounds: int
) -> list[dict[str, object]]:
    """One row a size of batch: frames a second, processor time, and how long a batch takes, which is what a token waits for.

    The sizes take turns, so that what else the machine does hits all alike; processor time tells them apart where it does much.
    """
    spent: dict[int, list[tuple[float, float]]] = {size: [] for size in batches}
    for picture in random_frames(rounds, backbone.frame_size):
        for size in batches:
            newest = streams[0].as_of
            frame = [replace(picture, pts_s=0.0 if newest is None else newest.stream_s + 1)]
            began, computing = time.perf_counter(), time.process_time()
            for first in range(0, len(streams), size):
                add_together([(stream, frame) for stream in streams[first : first + size]])
            synchronise(backbone.device)
            spent[size].append((time.perf_counter() - began, time.process_time() - computing))
    rows: list[dict[str, object]] = []
    for size, times in spent.items():
        elapsed, computed = (statistics.median(part) for part in zip(*times, strict=True))
        rows.append(
            {
                "batch_frames": size,
                "frames_per_s": len(streams) / elapsed,
                "cpu_ms_a_frame": 1000 * computed / len(streams),
                "batch_ms": 1000 * elapsed * size / len(streams),
            }
        )
    return rows
