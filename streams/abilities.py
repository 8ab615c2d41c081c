"""Abilities: what the libav that came with PyAV was built with."""

from __future__ import annotations

from dataclasses import dataclass

import av
import av.error

# Nobody listens there: what is known fails otherwise than what is not.
_NOWHERE = "127.0.0.1:1"
PROTOCOLS = ("rtsp", "rtmp", "rtmps", "srt", "http", "https")
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Abilities:
    """Versions, and the protocols of `PROTOCOLS` that are known."""

    pyav: str
    ffmpeg: str
    protocols: tuple[str, ...]


def abilities() -> Abilities:
    """What there is. Nothing outside this machine is asked."""
    return Abilities(
        pyav=av.__version__,
        ffmpeg=str(av.ffmpeg_version_info),
        protocols=tuple(name for name in PROTOCOLS if _known(name)),
    )


def _known(protocol: str) -> bool:
    try:
        av.open(f"{protocol}://{_NOWHERE}/", timeout=_PATIENCE_S).close()
    except av.error.ProtocolNotFoundError:
        return False
    except (av.error.FFmpegError, OSError):
        return True
    return True
