"""Patience: how long the next packet of a network source may take."""

from __future__ import annotations

from streams.address import Address
from streams.source import SourceOptions

# Pictures of HTTP Live Streaming come a segment at a time, and segments usually last up to 10 seconds.
HLS_PATIENCE_S = 30.0


def is_playlist(address: Address) -> bool:
    """Whether pictures come by segments that a playlist lists, by its name: libav is told its patience before it looks."""
    return address.scheme in ("http", "https") and ".m3u8" in address.target.lower()


def patience_s(address: Address, options: SourceOptions) -> float:
    """Seconds."""
    return max(options.read_timeout_s, HLS_PATIENCE_S if is_playlist(address) else 0.0)
