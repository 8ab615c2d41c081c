"""Everything kept: the reference that no method may claim to beat by forgetting. Memory grows with the stream."""

from __future__ import annotations

from memory.retention.base import Kept, LongTerm


class KeepAll:
    """No token is ever dropped."""

    bounded = False

    def keep(self, memory: LongTerm, budget: int) -> Kept:
        """All tokens."""
        return Kept(memory.everything)
