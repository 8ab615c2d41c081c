"""Watch: a reader under test and what is noted about the frames that it gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Condition

from streams.address import Address
from streams.frame import Frame
from streams.journal import ReaderStatus
from streams.mailbox import Mailbox
from streams.reader import StreamReader
from streams.reading import ReaderOptions

# Guards against hanging only.
PATIENCE_S = 60.0
# How often a state is looked at that comes without a frame.
LOOK_S = 0.02


@dataclass(slots=True)
class Notes:
    """Of the frames since a moment: how many, the widest gaps in seconds, their sizes, and what should never be.

    step_s: the widest gap in stream time. silence_s: the same in arrival.
    """

    frames: int = 0
    first_s: float = 0.0
    step_s: float = 0.0
    silence_s: float = 0.0
    sizes: set[tuple[int, ...]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


class Watch:
    """Runs a reader and keeps no frame. `states` and `codes` gather what the reader says of itself while it is not live."""

    def __init__(self, url: str, options: ReaderOptions) -> None:
        self._changed = Condition()
        self._notes = Notes()
        self._last: tuple[int, float, float] | None = None
        self._knock = options.reachable
        self._mailbox = Mailbox(1000)
        self.states: set[str] = set()
        self.codes: set[str] = set()
        self.reader = StreamReader(
            url,
            name="cam",
            mailbox=self._mailbox,
            options=replace(options, reachable=self._knocked),
            wake=self._woken,
        )

    @property
    def status(self) -> ReaderStatus:
        """The reader's own."""
        return self.reader.status()

    def begin_anew(self) -> Notes:
        """Notes begin here, those before are given; the frame before still counts for the first gap."""
        with self._changed:
            before, self._notes = self._notes, Notes()
            self.states, self.codes = set(), set()
            return before

    def notes(self) -> Notes:
        """A copy of what was noted so far; the silence that lasts now is part of it."""
        with self._changed:
            lasting_s = time.monotonic() - self._last[2] if self._last else 0.0
            silence_s = max(self._notes.silence_s, lasting_s)
            return replace(self._notes, silence_s=silence_s, sizes=set(self._notes.sizes))

    def until(self, what: str, condition: Callable[[Notes], object]) -> Notes:
        """Wait for notes of which the condition holds, and give them."""
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self._notes), PATIENCE_S)
        assert held, f"{what}: it never came; {self.status}"
        return self.notes()

    def until_seen(self, what: str, states: frozenset[str], codes: frozenset[str]) -> None:
        """Wait until the reader has said one of these states, or told one of these errors, since `begin_anew`."""
        deadline_s = time.monotonic() + PATIENCE_S
        with self._changed:
            while not (self.states & states or self.codes & codes):
                assert time.monotonic() < deadline_s, f"{what}: never noticed; {self.status}"
                self._changed.wait(LOOK_S)
                self._look()

    def _look(self) -> None:
        status = self.status
        self.states.add(status.state)
        if status.error_code:
            self.codes.add(status.error_code)

    def _knocked(self, address: Address) -> bool:
        """What the reader says while it waits is noted by its own thread: it could be over before anyone looks."""
        with self._changed:
            self._look()
            self._changed.notify_all()
        return self._knock(address)

    def _woken(self) -> None:
        for frame in self._mailbox.take(1000):
            with self._changed:
                self._note(frame)
                self._changed.notify_all()

    def _note(self, frame: Frame) -> None:
        now_s, notes = time.monotonic(), self._notes
        if self._last is not None:
            index, pts_s, arrived_s = self._last
            if frame.index <= index:
                notes.wrong.append(f"picture {frame.index} after {index}")
            if frame.pts_s < pts_s:
                notes.wrong.append(f"{frame.pts_s} s after {pts_s} s")
            notes.step_s = max(notes.step_s, frame.pts_s - pts_s)
            notes.silence_s = max(notes.silence_s, now_s - arrived_s)
        if not notes.frames:
            notes.first_s = now_s
        notes.frames += 1
        notes.sizes.add(frame.image.shape[:2])
        self._last = (frame.index, frame.pts_s, now_s)


@contextmanager
def watching(url: str, options: ReaderOptions) -> Iterator[Watch]:
    """A watch whose first frames have come; its reader is stopped in the end."""
    watch = Watch(url, options)
    watch.reader.start()
    try:
        watch.until("the first frames", lambda notes: notes.frames >= 3)
        yield watch
    finally:
        assert watch.reader.stop(PATIENCE_S), "the reader's thread never ended"
