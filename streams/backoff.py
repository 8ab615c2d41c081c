"""Backoff: how long to wait before a lost source is opened again."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays that grow from `first_s` to `longest_s` by `factor`, each moved by up to `jitter` (a fraction) either way.

    The jitter keeps many cameras that were lost together from coming back together. `draw` gives numbers in [0, 1).
    """

    first_s: float = 1.0
    longest_s: float = 30.0
    factor: float = 1.6
    jitter: float = 0.2
    draw: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if not 0 < self.first_s <= self.longest_s:
            raise ValueError("a back-off needs 0 < first_s <= longest_s")
        if self.factor < 1 or not 0 <= self.jitter < 1:
            raise ValueError("a back-off needs a factor of at least 1 and a jitter from 0 up to 1")

    def delays(self, first_s: float | None = None) -> Iterator[float]:
        """Seconds to wait before the first, second, ... try; without end. first_s: another one to begin with."""
        delay_s = self.first_s if first_s is None else min(first_s, self.longest_s)
        while True:
            yield self._jittered(delay_s)
            delay_s = min(self.longest_s, delay_s * self.factor)

    def longest(self) -> float:
        """Seconds to wait where trying soon would do harm, as with credentials that an account may be locked for."""
        return self._jittered(self.longest_s)

    def _jittered(self, delay_s: float) -> float:
        moved = delay_s * (1 + self.jitter * (2 * self.draw() - 1))
        return min(self.longest_s, moved)
