"""Fuzz: real files, damaged at random, read in a process of their own. `python -m tests.streams.fuzz [MINUTES] [SEED]`.

Each damaged file follows from a seed and a number, so that whatever is found can be made again:
`python -m tests.streams.fuzz --case SEED NUMBER` writes it into the present folder.
"""

from __future__ import annotations

import json
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.streams.odd_files import PNG, Recipe, encode
from tests.streams.watcher import ROOT, see

# No file may take longer; one that does is a hang. Generous: other things run on the machine, too.
HANG_S = 120.0
# Above what the largest allowed pictures take.
MOST_MIB = 2048

SEEDS: Mapping[str, Recipe] = {
    "h264.mp4": Recipe(count=30),
    "fragments.mp4": Recipe(count=30, muxing={"movflags": "frag_keyframe+empty_moov"}),
    "h264.mkv": Recipe(count=30),
    "h264.ts": Recipe(count=30),
    "h264.flv": Recipe(count=30),
    "raw.h264": Recipe(count=30),
    "hevc.mp4": Recipe(codec="libx265", count=20, options={"x265-params": "log-level=none"}),
    "av1.mkv": Recipe(codec="libsvtav1", count=10, options={"preset": "12"}),
    "vp8.webm": Recipe(codec="libvpx", count=30, options={"deadline": "realtime"}),
    "vp9.webm": Recipe(codec="libvpx-vp9", count=20, options={"deadline": "realtime"}),
    "mpeg4.avi": Recipe(codec="mpeg4", count=30),
    "mjpeg.avi": Recipe(codec="mjpeg", pixels="yuvj420p", count=20),
    "raw.mjpeg": Recipe(codec="mjpeg", pixels="yuvj420p", count=20),
    "mpeg2.mpg": Recipe(codec="mpeg2video", count=30),
    "wmv2.wmv": Recipe(codec="wmv2", count=30),
    "theirs.mov": Recipe(codec="qtrle", pixels="rgb24", count=10),
    "prores.mov": Recipe(codec="prores_ks", pixels="yuva444p10le", count=5),
    "ffv1.mkv": Recipe(codec="ffv1", count=10),
    "some.gif": Recipe(codec="gif", pixels="rgb8", count=10),
    "some.apng": Recipe(codec="apng", pixels="rgba", count=5),
    "some.png": PNG,
}


def make_seeds(folder: Path) -> None:
    """Write the whole files that are damaged."""
    for name, recipe in SEEDS.items():
        encode(folder / name, recipe)


def damaged(folder: Path, seed: int, number: int) -> tuple[str, bytes]:
    """The case `number` of a run: the name of a file, and what became of it."""
    chance = random.Random(f"{seed}/{number}")
    name = chance.choice(sorted(SEEDS))
    data = bytearray((folder / name).read_bytes())
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        _damage(data, chance)
    return name, bytes(data)


def _damage(data: bytearray, chance: random.Random) -> None:
    """One thing that happens to bytes. The head of a file is hit as often as all the rest."""
    if not data:
        return
    size = len(data)
    start = chance.randrange(min(size, chance.choice((64, 1024, size))))
    end = min(size, start + chance.choice((1, 2, 4, 16, 256, 4096)))
    match chance.randrange(7):
        case 0:
            for _ in range(end - start):
                data[chance.randrange(start, size)] ^= 1 << chance.randrange(8)
        case 1:
            del data[start:]
        case 2:
            data[start:start] = data[start:end]
        case 3:
            data[start:end] = bytes(end - start)
        case 4:
            data[start:end] = b"\xff" * (end - start)
        case 5:
            data[start:end] = chance.randbytes(end - start)
        case _:
            del data[start:end]


@dataclass(slots=True)
class Report:
    """What came of a run: cases by outcome, the slowest in seconds, the peak of memory in MiB, and what went wrong."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_mib: int = 0
    findings: list[str] = field(default_factory=list)

    def take(self, case: dict[str, object]) -> None:
        """Count a case as the child tells of it."""
        self.outcomes[str(case["outcome"])] += 1
        self.slowest_s = max(self.slowest_s, float(str(case["seconds"])))
        self.peak_mib = max(self.peak_mib, int(str(case["peak_mib"])))
        if case["trouble"]:
            self.findings.append(f"case {case['number']}, {case['name']}: {case['trouble']}")


def child(folder: Path, seed: int, first: int, seconds: float) -> None:
    """Read one case after the other; before each tell its number, after it what came of it."""
    began_s, number = time.monotonic(), first
    while number == first or time.monotonic() - began_s < seconds:
        print(number, flush=True)
        name, data = damaged(folder, seed, number)
        path = folder / f"case{Path(name).suffix}"
        path.write_bytes(data)
        case: dict[str, object] = {"number": number, "name": name, "trouble": ""}
        try:
            seen = see(str(path), probing=number % 4 == 0)
        except Exception:  # Every other error than the room's own is what is looked for.
            case |= {"outcome": "error", "seconds": 0, "peak_mib": 0}
            case["trouble"] = traceback.format_exc()
        else:
            case |= {"outcome": seen.code or ("whole" if seen.numbers else "nothing")}
            case |= {"seconds": seen.seconds, "peak_mib": seen.peak_mib}
            if not seen.numbers and not seen.code:
                case["trouble"] = "neither a picture nor an error"
            if seen.peak_mib > MOST_MIB:
                case["trouble"] = f"took {seen.peak_mib} MiB"
        print(json.dumps(case), flush=True)
        if case["trouble"]:
            return  # The peak of memory says nothing of the next case.
        number += 1


def fuzz(seed: int, seconds: float, folder: Path) -> Report:
    """Children, one after the other, until the time is over; one that crashed or hung is a finding, with its case."""
    report, first = Report(), 0
    ends_s = time.monotonic() + seconds
    while first == 0 or time.monotonic() < ends_s:
        left_s = max(0.0, ends_s - time.monotonic())
        words = ["--child", str(folder), str(seed), str(first), str(left_s)]
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.streams.fuzz", *words]
        errors = folder / "errors"
        with (
            errors.open("wb") as pipe,
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=pipe) as process,
        ):
            assert process.stdout is not None
            first = _listen(process, process.stdout, report) + 1
            process.kill()
        if process.returncode not in (0, -signal.SIGKILL):
            told = errors.read_text(errors="replace")
            report.findings.append(f"case {first - 1}: exit {process.returncode}\n{told}")
    return report


def _listen(process: subprocess.Popen[bytes], out: IO[bytes], report: Report) -> int:
    """Take what a child tells until it ends or hangs; the number of its last case."""
    number = -1
    while select.select([out], [], [], HANG_S)[0]:
        line = out.readline()
        if not line:
            process.wait(HANG_S)
            return number
        told = json.loads(line)
        if isinstance(told, int):
            number = told
        else:
            report.take(told)
    report.findings.append(f"case {number}: hung for {HANG_S:g} s")
    return number


def main(words: Sequence[str]) -> int:
    """The command; 1 where something was found."""
    if words[:1] == ["--child"]:
        child(Path(words[1]), int(words[2]), int(words[3]), float(words[4]))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_seeds(folder)
        if words[:1] == ["--case"]:
            made, data = damaged(folder, int(words[1]), int(words[2]))
            Path(f"case{words[2]}{Path(made).suffix}").write_bytes(data)
            return 0
        minutes = float(words[0]) if words else 1.0
        seed = int(words[1]) if len(words) > 1 else random.randrange(2**32)
        report = fuzz(seed, 60 * minutes, folder)
    counts = ", ".join(f"{count} {what}" for what, count in report.outcomes.most_common())
    print(f"seed {seed}: {sum(report.outcomes.values())} cases: {counts}")
    print(f"slowest {report.slowest_s:.1f} s, peak {report.peak_mib} MiB")
    print("\n".join(report.findings) or "nothing found")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
