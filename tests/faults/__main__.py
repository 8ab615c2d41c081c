"""Every fault again and again, between the real reader and a server in a process of its own; one line of JSON at the end.

`python -m tests.faults --server gstreamer --cycles 200`. For each fault: how long after the server's return frames came again
(claimed: within 2 s), and the widest gap that other streams saw meanwhile. For the whole run: threads, open descriptors and
resident memory, and their slope by cycle. A fault is held for a time drawn by lot after it was noticed, so that its end finds
the reader in different moments. Exit code 1 where a turn failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from streams.reading import ReaderOptions
from streams.recording import Recording
from streams.source import SourceOptions
from tests.faults.proxy import FaultProxy
from tests.faults.servers import ServerProcess
from tests.faults.suite import FAULTS, Fault, Rig, Turn, play
from tests.faults.watch import Watch, watching
from tests.streams.pictures import many

CLAIM_S = 2.0
FPS = 25.0
# As `livevlm serve` has it, but for the read and the stall timeout, which only decide how long it takes to notice.
READING = ReaderOptions(fps=1000, source=SourceOptions(read_timeout_s=2.0), stall_timeout_s=4.0)

# The streams beside it are read as ever, so that a moment in which the machine is busy is no loss.
BESIDE = ReaderOptions(fps=1000)


def main(argv: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--server", choices=["own", "gstreamer"], default="own")
    parser.add_argument("--cycles", type=int, default=len(FAULTS), help="turns in all")
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--hold", type=float, default=4.0, help="seconds, at most")
    options = parser.parse_args(argv)
    faults = [fault for fault in FAULTS if not options.fault or fault.name in options.fault]
    turns: dict[str, list[Turn]] = defaultdict(list)
    failures: list[str] = []
    usage: list[dict[str, float]] = []
    draw = random.Random(1).uniform
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = [_film(folder / "wide.mp4", None), _film(folder / "small.mp4", 48)]
        serve = lambda *some: stack.enter_context(ServerProcess(options.server, some))  # noqa: E731
        plain, changing, other = serve(files[0]), serve(*files), serve(files[0])
        others = tuple(stack.enter_context(watching(other.url, BESIDE)) for _ in range(2))
        for cycle in range(options.cycles):
            fault = faults[cycle % len(faults)]
            camera = changing if fault.changing else plain
            try:
                turn = _turn(fault, camera, others, draw(0, options.hold))
                turns[fault.name].append(turn)
                print(f"{cycle:4} {fault.name}: {turn.recovery_s:.2f} s", file=sys.stderr)
            except AssertionError as error:
                failures.append(f"{fault.name}: {error}")
                print(f"{cycle:4} {fault.name}: FAILED {error}", file=sys.stderr)
            usage.append(_usage())
    report = {
        "server": options.server,
        "cycles": options.cycles,
        "faults": {name: _summary(some) for name, some in turns.items()},
        "claim_s": CLAIM_S,
        "claim_held": all(turn.recovery_s <= CLAIM_S for some in turns.values() for turn in some),
        "usage": _course(usage),
        "failures": failures,
    }
    print(json.dumps(report))
    return 1 if failures else 0


def _turn(fault: Fault, camera: ServerProcess, others: tuple[Watch, ...], hold_s: float) -> Turn:
    reading = READING
    if not fault.breaks:
        reading = replace(READING, source=SourceOptions(), stall_timeout_s=6.0)
    with (
        FaultProxy(camera.port) as proxy,
        watching(f"rtsp://127.0.0.1:{proxy.port}/cam", reading) as watch,
    ):
        return play(fault, Rig(proxy, camera, watch, others), hold_s=hold_s)


def _summary(turns: Sequence[Turn]) -> dict[str, object]:
    recoveries = [turn.recovery_s for turn in turns]
    return {
        "turns": len(turns),
        "recovery_s": {"median": round(median(recoveries), 3), "max": round(max(recoveries), 3)},
        "others_gap_s": round(max(turn.others_gap_s for turn in turns), 3),
        "codes": sorted({code for turn in turns for code in turn.codes}),
    }


def _usage() -> dict[str, float]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "resident_mib": pages * resource.getpagesize() / 2**20,
    }


def _course(usage: Sequence[dict[str, float]]) -> dict[str, object]:
    """Each figure at 10, 50 and 100 % of the run, and its slope by cycle over all but the first tenth."""
    tenth, count = max(0, len(usage) // 10 - 1), len(usage)
    settled = usage[tenth:]
    return {
        name: {
            "at_10": round(usage[tenth][name], 2),
            "at_50": round(usage[max(0, count // 2 - 1)][name], 2),
            "at_100": round(usage[-1][name], 2),
            "slope": round(_slope([one[name] for one in settled]), 5),
        }
        for name in usage[0]
    }


def _slope(values: Sequence[float]) -> float:
    """Least squares, by place."""
    if len(values) < 2:
        return 0.0
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))


def _film(path: Path, height: int | None) -> Path:
    """Four seconds of H.264 with B-frames; with a height, of pictures cut down to it."""
    images = [image[:height] for image in many(100)]
    size = (images[0].shape[1], images[0].shape[0])
    with Recording(path, size, FPS, keyframe_every=25) as recording:
        for image in images:
            recording.write(image)
    return path


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(code)
