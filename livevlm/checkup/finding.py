"""Finding: what one check found, how bad that is, and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`found`, without credentials, is for people; `way_out` is empty where all is well."""

    name: str
    verdict: Verdict
    found: str
    way_out: str = ""

    def __post_init__(self) -> None:
        if (self.verdict == "ok") == bool(self.way_out):
            raise ValueError(
                f"{self.name}: a way out belongs to what is not well, and to nothing else"
            )


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", found)


def warning(name: str, found: str, way_out: str) -> Finding:
    """Something may not work as it is meant to."""
    return Finding(name, "warning", found, way_out)


def fault(name: str, found: str, way_out: str) -> Finding:
    """The daemon will not start, or not do what the configuration asks for."""
    return Finding(name, "fault", found, way_out)
