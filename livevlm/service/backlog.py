"""Backlog: the events of one session that wait to be written, and those that were written and may yet have been lost.

An event gets its number (`seq`) when it is first written, so that the numbers have no gaps although waiting pieces of one
answer's text are joined for those who read slowly. No socket, no thread, no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from livevlm.service.resumption import NotResumable
from livevlm.service.wire import JsonObject, encode

DELTA = "response.output_text.delta"
# A reader for whom more than this share of the limit waits is slow: pieces of text that come then are joined.
SLOW_SHARE = 16


@dataclass(slots=True)
class _Entry:
    """One event and its size in bytes. seq: 0 until it has been written; then `text` is what was, and `event` is empty."""

    event: JsonObject
    size: int
    seq: int = 0
    text: str = ""

    def number(self, seq: int) -> None:
        """It is written under this number. Only its text is kept: as objects it would take several times its size."""
        self.text = encode({"type": self.event["type"], "seq": seq, **self.event})
        self.seq, self.event = seq, {}


class Backlog:
    """Bounded in bytes: `limit_bytes` may wait for a client that is there; twice as much is kept, written or not, for one that
    is away or may have to come back. With `keep` false nothing is kept once it was written.
    """

    def __init__(self, limit_bytes: int, *, keep: bool = True) -> None:
        self.away = False
        self._limit = limit_bytes
        self._keep = keep
        self._written: deque[_Entry] = deque()
        self._waiting: deque[_Entry] = deque()
        self._written_bytes = 0
        self._waiting_bytes = 0
        self._again_bytes = 0  # of what waits: what waited when the client came back
        self._seq = 0
        self._lost = 0  # events up to this number are kept no more

    def put(self, event: JsonObject) -> bool:
        """Have an event wait. False when more waits than may; one event may always."""
        if not (self._waiting and self._join(self._waiting[-1], event)):
            entry = _Entry(event, len(encode(event)))
            self._waiting.append(entry)
            self._waiting_bytes += entry.size
        self._trim()
        return len(self._waiting) == 1 or self._waiting_bytes <= self._allowed()

    def take(self) -> str | None:
        """The oldest event that waits, now being written; None where none does."""
        if not self._waiting:
            return None
        entry = self._waiting.popleft()
        self._waiting_bytes -= entry.size
        self._again_bytes = max(0, self._again_bytes - entry.size)
        if not entry.seq:
            self._seq += 1
            entry.number(self._seq)
        if self._keep:
            self._written.append(entry)
            self._written_bytes += entry.size
            self._trim()
        else:
            self._lost = entry.seq
        return entry.text

    def check(self, last_seq: int) -> None:
        """Raises NotResumable where a client that has seen events up to `last_seq` cannot be told the rest."""
        if last_seq > self._seq:
            raise NotResumable(
                f"last_seq is {last_seq}, but no event after number {self._seq} was sent"
            )
        if last_seq < self._lost:
            raise NotResumable(
                f"events after number {last_seq} are lost: more came than is kept for a client"
            )

    def rewind(self, last_seq: int) -> int:
        """The client is there again and has seen events up to `last_seq`: those after it wait, once more or still. How many.

        Raises NotResumable.
        """
        self.check(last_seq)
        while self._written and self._written[-1].seq > last_seq:
            entry = self._written.pop()
            self._waiting.appendleft(entry)
            self._waiting_bytes += entry.size
        self._written.clear()  # the client has seen them
        self._written_bytes = 0
        self._lost = last_seq
        self._again_bytes = self._waiting_bytes
        self.away = False
        return len(self._waiting)

    def _allowed(self) -> int:
        """Who is away is waited for; who came back may take what waited beside what is new."""
        return 2 * self._limit if self.away else self._limit + self._again_bytes

    def _trim(self) -> None:
        while self._written and self._written_bytes + self._waiting_bytes > 2 * self._limit:
            entry = self._written.popleft()
            self._written_bytes -= entry.size
            self._lost = entry.seq

    def _join(self, last: _Entry, event: JsonObject) -> bool:
        """Add to the newest event that waits, where both are text of one answer and the client is slow; whether it was so."""
        before = last.event
        if last.seq or self._waiting_bytes <= self._limit // SLOW_SHARE:
            return False
        if before["type"] != DELTA or event["type"] != DELTA:
            return False
        if before["item_id"] != event["item_id"]:
            return False
        last.event = {**before, "delta": f"{before['delta']}{event['delta']}"}
        grown = len(encode({"": event["delta"]})) - len(encode({"": ""}))
        last.size += grown
        self._waiting_bytes += grown
        return True
