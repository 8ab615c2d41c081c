"""The machine: Python, processors and memory, the clock, webcams and the display, and which FAISS is installed."""

from __future__ import annotations

import ctypes
import glob
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from livevlm.checkup.finding import Finding, fault, ok, warning

OLDEST_PYTHON = (3, 11)
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)  # a clock before this was never set
LEAST_MEMORY = 2 << 30
_CLOCK_STATE = 512  # more bytes than any system's struct timex has
_UNSYNCHRONISED = 5


def look(environ: Mapping[str, str]) -> list[Finding]:
    """All that can be told without loading a library."""
    return [
        python(sys.version_info[:2]),
        hardware(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        clock(datetime.now(UTC), synchronised()),
        faiss(installed()),
        webcams(sorted(glob.glob("/dev/video*")), lambda path: os.access(path, os.R_OK | os.W_OK)),
        display(environ),
    ]


def python(version: tuple[int, ...]) -> Finding:
    """Whether Python is new enough."""
    if version < OLDEST_PYTHON:
        return fault("python", platform.python_version(), "take Python 3.11 or newer")
    return ok("python", f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def hardware(memory: int) -> Finding:
    """Processors that we may use, and memory in bytes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{cores} of {os.cpu_count()} CPU cores, {memory / 2**30:.1f} GiB of memory"
    if memory < LEAST_MEMORY:
        return warning("hardware", found, "the bundled model alone wants some 2 GiB; give it more")
    return ok("hardware", found)


def clock(now: datetime, synchronised: bool | None) -> Finding:
    """Whether times in answers can be trusted. synchronised: None where nobody can say."""
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < EARLIEST:
        return fault("clock", found, "set the clock: questions about times are answered by it")
    if synchronised is False:
        way_out = "set it by the network (timedatectl set-ntp true), or times of answers drift"
        return warning("clock", f"{found}, not synchronised", way_out)
    return ok("clock", f"{found}, {'synchronised' if synchronised else 'by what nobody can say'}")


def synchronised() -> bool | None:
    """Whether the kernel holds its clock for synchronised; None where it does not say."""
    if sys.platform != "linux":
        return None
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_CLOCK_STATE))
    return None if state < 0 else state != _UNSYNCHRONISED


def installed() -> set[str]:
    """The names of all installed packages."""
    return {found.metadata["Name"].lower() for found in importlib.metadata.distributions()}


def faiss(packages: Collection[str]) -> Finding:
    """Which FAISS there is: exactly one of two packages that give the same module."""
    found = [name for name in ("faiss-cpu", "faiss-gpu") if name in packages]
    if len(found) == 2:
        way_out = "they overwrite each other: uninstall both, then install one"
        return fault("faiss", "faiss-cpu and faiss-gpu", way_out)
    if not found:
        return fault("faiss", "none", "pip install 'livevlm[cpu]', or 'livevlm[gpu]'")
    return ok("faiss", f"{found[0]} {importlib.metadata.version(found[0])}")


def webcams(paths: Iterable[str], allowed: Callable[[str], bool]) -> Finding:
    """Webcams by their devices, and whether we may open them."""
    found = list(paths)
    closed = [path for path in found if not allowed(path)]
    if closed:
        way_out = "join the group that owns them, mostly video (usermod -aG video USER)"
        return warning("webcams", f"{', '.join(closed)} may not be opened", way_out)
    return ok("webcams", ", ".join(found) or "none")


def display(environ: Mapping[str, str]) -> Finding:
    """The X display that `screen:` would be."""
    return ok("display", environ.get("DISPLAY") or "none (DISPLAY is not set): no screen: here")
