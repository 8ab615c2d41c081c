"""What decoding alone costs: in full and with thrift, on one thread, on many, and in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from streams.clip import Clip
from streams.decoding import Effort, decode_clip
from streams.source import Decode


@dataclass(frozen=True, slots=True)
class Task:
    """A clip to decode in one way, for so many seconds."""

    clip: Clip
    seconds: float
    decode: Decode
    fps: float

    def run(self, number: int = 0) -> Effort:
        """Do it; which of several this is does not matter."""
        return decode_clip(self.clip, seconds=self.seconds, decode=self.decode, fps=self.fps)


def ceiling(clip: Clip, *, fps: float, threads: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each way. pictures_per_s: that came, by the clock; cpu_ms: for each that came, over all threads.

    A lock that threads waited for would show as fewer pictures a second at the same processor time; one that they fight for
    as more of it.
    """
    cores = os.cpu_count() or 1
    thrifty = Task(clip, seconds, "auto", fps)
    full = Task(clip, seconds, "all", fps)
    keys = Task(clip, seconds, "keyframes", fps)
    rows = [
        row("one thread, all", [full.run()]),
        row("one thread, auto", [thrifty.run()]),
        row("one thread, keyframes", [keys.run()]),
    ]
    with ThreadPoolExecutor(threads) as pool:
        rows.append(row(f"{threads} threads, all", spread(pool, full, threads)))
        rows.append(row(f"{threads} threads, auto", spread(pool, thrifty, threads)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context) as pool:
        spread(pool, Task(clip, 0.0, "all", fps), cores)  # Started, before anything is measured.
        rows.append(row(f"{cores} processes, all", spread(pool, full, cores)))
        rows.append(row(f"{cores} processes, auto", spread(pool, thrifty, cores)))
    return rows


def spread(pool: Executor, task: Task, count: int) -> list[Effort]:
    """The task so many times at once."""
    return list(pool.map(task.run, range(count)))


def row(way: str, efforts: Sequence[Effort]) -> dict[str, Any]:
    """A line of the table."""
    came = sum(one.came for one in efforts)
    cpu_s = sum(one.cpu_s for one in efforts)
    return {
        "way": way,
        "pictures_per_s": sum(one.came / one.elapsed_s for one in efforts),
        "cpu_ms": 1000 * cpu_s / came,
        "decoded_share": sum(one.decoded for one in efforts) / came,
    }
