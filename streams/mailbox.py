"""Mailbox: the bounded queue of frames between a stream's thread and whoever takes them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import Literal, get_args

from streams.frame import Frame

Policy = Literal["oldest", "latest", "block"]
# What a frame that gave way to a newer one is counted as, by policy.
REASONS = {"oldest": "backpressure", "latest": "superseded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxCounts:
    """Frames put in, let go because it was full, taken out, and waiting inside: put = dropped + taken + waiting, at any
    moment.
    """

    put: int = 0
    dropped: int = 0
    taken: int = 0
    waiting: int = 0


class Mailbox:
    """At most `capacity` frames. When it is full, `oldest` lets the oldest go for a new one, `latest` all that wait, and
    `block` makes the putter wait. What was let go is counted, under `reason`.
    """

    def __init__(self, capacity: int, policy: Policy = "oldest") -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox must hold at least 1 frame, not {capacity}")
        if policy not in get_args(Policy):
            known = ", ".join(get_args(Policy))
            raise ValueError(f"a mailbox's policy is one of {known}, not {policy!r}")
        self._capacity = capacity
        self._policy = policy
        self._frames: deque[Frame] = deque()
        self._changed = Condition()
        self._put = 0
        self._dropped = 0
        self._taken = 0
        self._closed = False

    @property
    def reason(self) -> str:
        """What frames that were let go are counted as."""
        return REASONS.get(self._policy, "backpressure")

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

    def counts(self) -> MailboxCounts:
        """All counts at one moment."""
        with self._changed:
            return MailboxCounts(
                put=self._put,
                dropped=self._dropped,
                taken=self._taken,
                waiting=len(self._frames),
            )

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
                self._make_room()
            self._frames.append(frame)
            self._put += 1
            return True

    def _make_room(self) -> None:
        going = 1 if self._policy == "oldest" else len(self._frames)
        for _ in range(going):
            self._frames.popleft()
        self._dropped += going

    def take(self, limit: int) -> list[Frame]:
        """The oldest frames, at most `limit`, in order; empty when there are none. Never waits."""
        assert limit >= 0, limit
        with self._changed:
            taken = [self._frames.popleft() for _ in range(min(limit, len(self._frames)))]
            self._taken += len(taken)
            if taken:
                self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Accept no more frames and wake those who wait to put one. What is inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
