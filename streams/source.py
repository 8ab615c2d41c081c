"""Source: where frames come from, and the options every source takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from streams.frame import Frame
from streams.place import Place

RtspTransport = Literal["tcp", "udp"]
# Which packets are decoded. "auto": of a live source what pictures that are due need, of a recording all.
Decode = Literal["auto", "all", "keyframes"]


def keep_all(pts_s: float) -> bool:
    """Keep every picture."""
    return True


def always_due(pts_s: float, keyframe: bool) -> bool:
    """Decode every picture."""
    return True


def ignore_held() -> None:
    """Take no notice of a packet that waits to be decoded."""


def ignore_drop(reason: str) -> None:
    """Take no notice of a dropped picture."""


def never() -> bool:
    """Never cancel."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to open a source and which of its pictures to give.

    size: (width, height) that frames are scaled to, None for their own. open_timeout_s, read_timeout_s: how long a network
    source may take to open, and to send the next packet. clock: POSIX seconds (UTC), stamps frames. keep: asked once for each
    decoded picture, in order, with its stream time in seconds; only kept ones are turned into pixels. on_drop: told why, for
    each picture that was lost ("corrupt", "before_keyframe") or never decoded ("skipped"). cancelled: asked between packets;
    True ends the iteration. decode: which packets are decoded at all. due: asked whether a picture that is not yet decoded
    would be kept, with its stream time and whether it is a keyframe; on_held: told of each packet that came but is not decoded
    yet, a sign of life. behind: of a recording, the place behind which it is to begin: of what comes before nothing is asked
    or given.
    """

    size: tuple[int, int] | None = None
    open_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    rtsp_transport: RtspTransport = "tcp"
    clock: Callable[[], float] = time.time
    keep: Callable[[float], bool] = keep_all
    on_drop: Callable[[str], None] = ignore_drop
    cancelled: Callable[[], bool] = never
    decode: Decode = "auto"
    due: Callable[[float, bool], bool] = always_due
    on_held: Callable[[], None] = ignore_held
    behind: Place | None = None

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise ValueError(
                f"size must be a width and a height of at least 1 pixel, not {self.size}"
            )
        if self.open_timeout_s <= 0 or self.read_timeout_s <= 0:
            raise ValueError("open_timeout_s and read_timeout_s must be above 0 seconds")
        if self.rtsp_transport not in ("tcp", "udp"):
            raise ValueError(f"rtsp_transport must be 'tcp' or 'udp', not {self.rtsp_transport!r}")
        if self.decode not in ("auto", "all", "keyframes"):
            raise ValueError(f"decode must be 'auto', 'all' or 'keyframes', not {self.decode!r}")


class Source(Protocol):
    """A context manager that opens where frames come from, and an iterator of its kept frames.

    A frame's `index` counts the decoded pictures from 0, kept or not; its stream time starts at 0 and never falls. Making a
    source never blocks; entering it may, up to the open timeout. Both entering and iterating raise StreamError.
    """

    @property
    def live(self) -> bool:
        """Whether pictures come when they happen: the end of a live source is a loss, of any other the end."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame]: ...
