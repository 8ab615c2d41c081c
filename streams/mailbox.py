"""Mailbox: the bounded queue of frames between a stream's thread and whoever takes them."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import Literal

from streams.frame import Frame

Policy = Literal["drop_oldest", "block"]


class Mailbox:
    """At most `capacity` frames. When full, `drop_oldest` lets the oldest go and counts it; `block` makes the putter wait."""

    def __init__(self, capacity: int, policy: Policy = "drop_oldest") -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox must hold at least 1 frame, not {capacity}")
        if policy not in ("drop_oldest", "block"):
            raise ValueError(f"a mailbox's policy is 'drop_oldest' or 'block', not {policy!r}")
        self._capacity = capacity
        self._policy = policy
        self._frames: deque[Frame] = deque()
        self._changed = Condition()
        self._dropped = 0
        self._closed = False

    @property
    def dropped(self) -> int:
        """Frames that were let go because the mailbox was full."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """Whether no more frames are accepted."""
        return self._closed

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame, timeout: float | None = None) -> bool:
        """Add a frame; with `block`, wait up to `timeout` seconds (None: for ever) for room. False: it was not added."""
        with self._changed:
            if self._policy == "block":
                self._changed.wait_for(
                    lambda: self._closed or len(self._frames) < self._capacity, timeout
                )
                if len(self._frames) >= self._capacity:
                    return False
            if self._closed:
                return False
            if len(self._frames) >= self._capacity:
                self._frames.popleft()
                self._dropped += 1
            self._frames.append(frame)
            return True

    def take(self, limit: int) -> list[Frame]:
        """The oldest frames, at most `limit`, in order; empty when there are none. Never waits."""
        assert limit >= 0, limit
        with self._changed:
            taken = [self._frames.popleft() for _ in range(min(limit, len(self._frames)))]
            if taken:
                self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Accept no more frames and wake those who wait to put one. What is inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
