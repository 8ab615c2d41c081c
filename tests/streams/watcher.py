"""Watches files in a process of its own, so that a crash or a hang of C code is seen as what it is, with the file's name.

`python -m tests.streams.watcher FILE ...` prints one line of JSON a file: what came of it, in how long, and the peak of memory.
"""

from __future__ import annotations

import faulthandler
import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from streams import SourceOptions, StreamError, open_source
from streams.probe import probe
from tests.streams.pictures import number_of

ROOT = Path(__file__).resolve().parents[2]
# Pictures of a file that are looked at: some claim to go on for hours.
ENOUGH = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a file. code: of the error that ended it, "" where it came to its end. peak_mib: of the process so far."""

    path: str
    code: str = ""
    message: str = ""
    probed: str = ""
    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    peak_mib: int = 0


def see(path: str, *, probing: bool = True) -> Seen:
    """Read a file through the public way, and probe it."""
    began_s, lost = time.monotonic(), Counter[str]()
    numbers, times, shapes = [], [], set()
    code = message = probed = ""
    options = SourceOptions(on_drop=lambda reason: lost.update([reason]))
    try:
        with open_source(path, name="odd", options=options) as source:
            for frame in islice(source, ENOUGH):
                numbers.append(number_of(frame.image))
                times.append(frame.pts_s)
                shapes.add(frame.image.shape)
    except StreamError as error:
        code, message = error.code, error.message
    try:
        if probing:
            probe(path, seconds=0.5)
    except StreamError as error:
        probed = error.code
    return Seen(
        path,
        code=code,
        message=message,
        probed=probed,
        numbers=numbers,
        times=times,
        shapes=sorted(shapes),
        lost=dict(lost),
        seconds=time.monotonic() - began_s,
        peak_mib=_peak_mib(),
    )


def _peak_mib() -> int:
    """Of this program alone: `ru_maxrss` begins, on Linux, with what the process had that started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        (kib,) = re.findall(
            r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="ascii"), re.MULTILINE
        )
        return int(kib) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def watch(paths: Sequence[Path], *, hang_s: float) -> list[Seen]:
    """See all the files in one child. AssertionError with the file's name where it crashes, or hangs for so many seconds."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.streams.watcher"]
    with subprocess.Popen(
        [*command, *map(str, paths)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        try:
            out, err = child.communicate(timeout=hang_s)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            err = f"hung, {hang_s:g} s\n{err}"
    seen = [Seen(**json.loads(line)) for line in out.splitlines()]
    assert len(seen) == len(paths), f"{paths[len(seen)]}: exit {child.returncode}\n{err}"
    return seen


def main(paths: Sequence[str]) -> None:
    """See each file and print what came of it."""
    faulthandler.enable()
    for path in paths:
        print(json.dumps(asdict(see(path))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
