"""What benchmarks print: the machine, a table for people, and one JSON object as the last line."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

Row = Mapping[str, Any]


def arguments(name: str, doc: str) -> argparse.ArgumentParser:
    """What all benchmarks take."""
    parser = argparse.ArgumentParser(prog=f"livevlm bench {name}", description=doc.splitlines()[0])
    parser.add_argument(
        "--model", default="bundled", help="bundled, toy, a checkpoint folder or a hub name"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all cores")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    return parser


def numbers(text: str) -> tuple[int, ...]:
    """A list of counts: "64,256"."""
    return tuple(sorted(int(part) for part in text.split(",")))


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were taken on, without the machine's name."""
    return {
        "processor": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.machine(),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def report(bench: str, settings: Mapping[str, Any], rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the table, unless JSON alone was asked for, and the JSON line."""
    if not as_json:
        print(" ".join(f"{key}={value}" for key, value in settings.items()))
        print_table(rows)
    print(json.dumps({"bench": bench, **settings, "rows": [dict(row) for row in rows]}))
    sys.stdout.flush()


def print_table(rows: Sequence[Row]) -> None:
    """Rows of the same keys, in columns."""
    if not rows:
        return
    texts = [[_text(row[key]) for key in rows[0]] for row in rows]
    widths = [
        max(len(key), *(len(line[place]) for line in texts)) for place, key in enumerate(rows[0])
    ]
    for line in [list(rows[0]), *texts]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _text(value: Any) -> str:
    return (
        f"{value:,.2f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def synchronise(device: torch.device) -> None:
    """Wait for the device's work, so that a clock read afterwards means something."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_ms(work: Callable[[], object], device: torch.device, repeat: int) -> float:
    """Milliseconds that `work` takes: one warm-up, then the median."""
    times = []
    for turn in range(repeat + 1):
        synchronise(device)
        began = time.perf_counter()
        work()
        synchronise(device)
        if turn:
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
