"""A source that does what is written down for it, a clock that is told to move, and readers of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from streams.backoff import Backoff
from streams.frame import Frame
from streams.mailbox import Mailbox
from streams.reader import StreamReader
from streams.source import SourceOptions
from tests.streams.pictures import numbered, until

CAMERA = "rtsp://admin:hunter2@cam.example/s"
SOON = Backoff(first_s=0.01, longest_s=0.02)
Opening = Sequence[float | Exception | Callable[[], object]]
Make = Callable[..., tuple[StreamReader, Mailbox]]


@dataclass
class Scripted:
    """A source whose openings are written down: times of pictures, errors to raise, and what else is to happen.

    One that `stays` goes on without a picture when it has no more, until it is cancelled.
    """

    openings: list[Opening]
    live: bool = True
    stays: bool = False
    opened: int = 0
    closed: int = 0
    options: SourceOptions = field(default_factory=SourceOptions)

    def __call__(self, url: str, *, name: str, options: SourceOptions) -> Scripted:
        self.options = options
        return self

    def __enter__(self) -> Self:
        self.opened += 1
        if self.opened > len(self.openings):
            until(self.options.cancelled)
        elif self.openings[self.opened - 1] and isinstance(
            self.openings[self.opened - 1][0], Exception
        ):
            raise self.openings[self.opened - 1][0]  # type: ignore[misc]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closed += 1

    def __iter__(self) -> Iterator[Frame]:
        opening = self.openings[self.opened - 1] if self.opened <= len(self.openings) else ()
        index = 0
        for step in opening:
            if self.options.cancelled():
                return
            if isinstance(step, Exception):
                raise step
            if callable(step):
                step()
                continue
            if self.options.keep(step):
                yield Frame("cam", index, step, 0.0, numbered(index))
            index += 1
        if self.stays:
            until(self.options.cancelled)


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> Callable[[], None]:
        def step() -> None:
            self.now_s += seconds

        return step


def state(reader: StreamReader, *states: str) -> Callable[[], bool]:
    return lambda: reader.status().state in states
