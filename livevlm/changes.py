"""Changes: streams that are added, removed, paused and resumed while the daemon runs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from livevlm.errors import LiveVLMError
from livevlm.messages import StreamStatus
from livevlm.watchconfig import StreamConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AddStream:
    """Watch one more stream. The settings may hold credentials."""

    name: str
    settings: StreamConfig = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveStream:
    """Watch a stream no longer. forget: erase what is remembered of it, on disk too. for_now: it comes again at once with other
    settings; if not, a recording that is added again is watched from its start.
    """

    name: str
    forget: bool = False
    for_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseStream:
    """Take no more frames of a stream until it is resumed; it is still remembered."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeStream:
    """Go on with a paused stream."""

    name: str


Change = AddStream | RemoveStream | PauseStream | ResumeStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A stream is another than it was. status: as it is now, None where it is gone."""

    what: Literal["added", "updated", "removed"]
    name: str
    status: StreamStatus | None


Told = Callable[[Changed | LiveVLMError], None]
