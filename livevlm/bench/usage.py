"""What a process uses, as Linux counts it: resident memory and processor time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

MIB = 2**20


def resident_mib(process: str | int = "self") -> float:
    """Resident memory of a process, in MiB. OSError where there is no /proc to ask, or no such process."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / MIB


def mapped_mib(process: str | int = "self") -> float:
    """Of a process's resident memory, what are pages of files, which the system takes back when it needs them; in MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[2])
    return pages * os.sysconf("SC_PAGESIZE") / MIB


def cpu_s(process: str | int = "self", thread: int | None = None) -> float:
    """Processor time of a process, or of one of its threads, in seconds; 0 for one that is over."""
    task = "" if thread is None else f"/task/{thread}"
    try:
        text = Path(f"/proc/{process}{task}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The second field is a name, which may hold anything, in brackets; the rest are numbers.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def threads_cpu_s(prefix: str) -> float:
    """Processor time of this process's threads whose names begin so, in seconds."""
    ours = [one.native_id for one in threading.enumerate() if one.name.startswith(prefix)]
    return sum(cpu_s(thread=number) for number in ours if number is not None)
