"""Limits: how much one client may say and ask, by a clock that is handed in.

A client that sends too fast is told so and when to go on; one that goes on all the same, or says nothing that can be
understood, is closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from livevlm.errors import RateLimited
from livevlm.service.outputs import Close

MALFORMED, RATE_LIMITED = 4400, 4429  # close codes
BURST_S = 4.0  # a client that was silent may send what it could have sent in this time at once
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may do; 0 is no limit. `malformed_per_minute`: messages that are no events. `answer_tokens`: the longest
    answer. `clients`: how many there may be at once.
    """

    messages_per_s: float = 0.0
    malformed_per_minute: int = 0
    questions_per_minute: int = 0
    answer_tokens: int = 0
    clients: int = 0

    def full(self, clients: int) -> bool:
        """Whether no further client may come to these."""
        return 0 < self.clients <= clients

    def tokens(self, wanted: int | None) -> int | None:
        """As many tokens as an answer may have of those that are wanted."""
        return min(wanted, self.answer_tokens) if wanted and self.answer_tokens else wanted


class Bucket:
    """Holds up to `burst`, refills at `rate` a second. It can go into debt: what was taken in vain counts too."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        """clock: seconds, never falling."""
        self.rate, self.burst = rate, burst
        self._clock = clock
        self.level = burst
        self._at = clock()

    def take(self) -> float:
        """Take one; 0 where there was one, otherwise seconds until there will be, if nothing is taken before."""
        now = self._clock()
        self.level = min(self.burst, self.level + self.rate * (now - self._at)) - 1
        self._at = now
        return 0.0 if self.level >= 0 else (1 - self.level) / self.rate


class Window:
    """At most `most` in any `span_s` seconds."""

    def __init__(self, most: int, span_s: float, clock: Callable[[], float]) -> None:
        self._most, self._span_s, self._clock = most, span_s, clock
        self._taken: deque[float] = deque(maxlen=most)

    def take(self) -> float:
        """Take one, and return 0; or seconds until one can be taken."""
        now = self._clock()
        if len(self._taken) == self._most and now - self._taken[0] < self._span_s:
            return self._span_s - (now - self._taken[0])
        self._taken.append(now)
        return 0.0


class Allowance:
    """What is left of its limits to one client."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """clock: seconds, never falling."""
        self._limits = limits
        rate, nonsense = limits.messages_per_s, limits.malformed_per_minute
        self._messages = Bucket(rate, max(1.0, BURST_S * rate), clock) if rate else None
        self._malformed = Window(nonsense, MINUTE_S, clock) if nonsense else None
        most = limits.questions_per_minute
        self._questions = Window(most, MINUTE_S, clock) if most else None
        self.end: Close | None = None

    def message(self) -> RateLimited | None:
        """A message came; the error to answer it with if it came too fast. `end` is set where far too many did."""
        if self._messages is None:
            return None
        wait_s = self._messages.take()
        if not wait_s:
            return None
        most = f"{self._limits.messages_per_s:g} messages a second"
        if self._messages.level <= -self._messages.burst:
            self.end = Close(RATE_LIMITED, f"more than {most} came, again and again")
        return RateLimited(
            f"more than {most} came; send the next one in {wait_s:.2f} s", retry_after_s=wait_s
        )

    def malformed(self) -> None:
        """A message was no event; `end` is set where too many were."""
        if self._malformed is not None and self._malformed.take():
            most = self._limits.malformed_per_minute
            self.end = Close(MALFORMED, f"more than {most} messages a minute were no events")

    def question(self) -> None:
        """A question is asked. Raises RateLimited."""
        wait_s = 0.0 if self._questions is None else self._questions.take()
        if wait_s:
            raise RateLimited(
                f"{self._limits.questions_per_minute} questions a minute may be asked; ask the next one in {wait_s:.1f} s",
                retry_after_s=wait_s,
            )
