"""View: what a session may look at of the daemon, and what it tells of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from livevlm.messages import StreamStatus
from livevlm.service.wire import JsonObject, status_json


class View(Protocol):
    """What a session may look at; each call returns at once."""

    def streams(self) -> Sequence[StreamStatus]: ...
    def ready(self) -> bool: ...
    def info(self) -> dict[str, str]: ...


def stream_names(view: View) -> list[str]:
    """The names of all streams."""
    return [status.name for status in view.streams()]


def frames_behind(view: View, stream: str) -> int | None:
    """How many frames of a stream wait for the model; None where there is no such stream."""
    waiting = [status.queue_frames for status in view.streams() if status.name == stream]
    return waiting[0] if waiting else None


def listed_json(view: View) -> JsonObject:
    """All streams as they are now, and whether questions are answered."""
    return {
        "ready": view.ready(),
        "streams": [status_json(status) for status in view.streams()],
    }
