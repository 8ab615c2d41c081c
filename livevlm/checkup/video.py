"""Video: what the PyAV that is installed can open."""

from __future__ import annotations

from livevlm.checkup.finding import Finding, ok, warning
from streams.abilities import PROTOCOLS, Abilities, abilities


def look() -> list[Finding]:
    """Versions, protocols, and hardware that could decode."""
    return judge(abilities())


def judge(found: Abilities) -> list[Finding]:
    """What that means."""
    libraries = f"PyAV {found.pyav}, FFmpeg {found.ffmpeg}"
    lacking = [name for name in PROTOCOLS if name not in found.protocols]
    there = ", ".join(name for name in PROTOCOLS if name in found.protocols) or "none"
    if lacking:
        way_out = "build PyAV against an FFmpeg that has them, where cameras need them"
        protocols = warning("protocols", f"{there}; not {', '.join(lacking)}", way_out)
    else:
        protocols = ok("protocols", there)
    return [ok("video", libraries), protocols]
