"""Orders: what others ask of a stream's thread, from any thread. To stop, to pause, to go on."""

from __future__ import annotations

from threading import Condition


class Orders:
    """Stop and pause, and the waiting that they cut short.

    A pause ends an opening that is going on also where `resume` comes before the thread has looked: so the thread asks not
    whether it is paused, but whether a pause came since it went on last.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._stopping = False
        self._paused = False
        self._pauses = 0
        self._seen = 0

    @property
    def stopping(self) -> bool:
        """Whether the thread is to end."""
        return self._stopping

    @property
    def leaving(self) -> bool:
        """Whether what was begun after the last `rest` is to be left: for a pause since, or for good."""
        return self._stopping or self._pauses != self._seen

    def stop(self) -> None:
        """End, for good."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def pause(self) -> None:
        """Rest until `resume`."""
        with self._changed:
            self._pauses += not self._paused
            self._paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def rest(self) -> bool:
        """Wait while paused; whether to go on, False where the thread is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or not self._paused)
            self._seen = self._pauses
            return not self._stopping

    def nap(self, seconds: float) -> bool:
        """Wait so long, or until `leaving`; whether it was cut short."""
        with self._changed:
            return self._changed.wait_for(lambda: self.leaving, max(0.0, seconds))
