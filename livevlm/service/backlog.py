"""Backlog: the events of one session that wait to be written, and those that were written and may yet have been lost.

An event gets its number (`seq`) when it is first written, so that the numbers have no gaps although waiting pieces of one
answer's text are joined for those who read slowly. Of what is known to have arrived only the newest is kept: a session of days
costs no more than one of minutes. No socket, no thread, no clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from livevlm.service.resumption import NotResumable
from livevlm.service.wire import JsonObject, encode

DELTA = "response.output_text.delta"
HEAD = '{"type":"'  # how every event's text begins
# A reader for whom more than this share of the limit waits is slow: pieces of text that come then are joined.
SLOW_SHARE = 16
# The client's system has taken what has arrived, the client itself may be a little behind: so much of the limit stays kept.
ARRIVED_SHARE = 16


@dataclass(slots=True)
class _Entry:
    """One event that waits, as text, which is a fraction of what it takes as objects. event: of the newest alone, where text
    may be joined to it; `text` is empty then where some was. numbered: it was written before, and waits once more.
    """

    text: str
    size: int
    event: JsonObject | None = None
    numbered: bool = False

    def settle(self) -> str:
        """Nothing is joined to it any more: its text."""
        if self.event is not None:
            self.text, self.event = self.text or encode(self.event), None
        return self.text


class Backlog:
    """Bounded in bytes: `limit_bytes` may wait for a client that is there; twice as much is kept, written or not, for one that
    is away or may have to come back. With `keep` false nothing is kept once it was written.
    """

    def __init__(self, limit_bytes: int, *, keep: bool = True) -> None:
        self.away = False
        self._limit = limit_bytes
        self._keep = keep
        # Text alone, its numbers going on from `_lost`.
        self._written: deque[str] = deque()
        self._waiting: deque[_Entry] = deque()
        self._written_bytes = 0
        self._waiting_bytes = 0
        self._again_bytes = 0  # of what waits: what waited when the client came back
        self._seq = 0
        self._lost = 0  # events up to this number are kept no more

    @property
    def kept_bytes(self) -> int:
        """What is kept, written or waiting."""
        return self._written_bytes + self._waiting_bytes

    @property
    def newest(self) -> int:
        """The number of the event that was written last."""
        return self._lost + len(self._written)

    @property
    def heavy(self) -> bool:
        """Whether so much was written that it is worth asking what of it has arrived."""
        return self._written_bytes > 2 * self._limit // ARRIVED_SHARE

    def put(self, event: JsonObject) -> bool:
        """Have an event wait. False when more waits than may; one event may always."""
        if not (self._waiting and self._join(self._waiting[-1], event)):
            if self._waiting:
                self._waiting[-1].settle()
            text = encode({"type": event["type"], **event})
            self._waiting.append(_Entry(text, len(text), event if event["type"] == DELTA else None))
            self._waiting_bytes += len(text)
        self._trim()
        return len(self._waiting) == 1 or self._waiting_bytes <= self._allowed()

    def take(self) -> str | None:
        """The oldest event that waits, now being written; None where none does."""
        if not self._waiting:
            return None
        entry = self._waiting.popleft()
        self._waiting_bytes -= entry.size
        self._again_bytes = max(0, self._again_bytes - entry.size)
        text = entry.settle()
        if not entry.numbered:
            self._seq += 1
            text = _with_seq(text, self._seq)
        if self._keep:
            self._written.append(text)
            self._written_bytes += len(text)
            self._trim()
        else:
            self._lost = self._seq
        return text

    def arrived(self, number: int) -> None:
        """The client's side has all events up to this number: only the newest of them are kept."""
        while self._lost < number and self._written_bytes > self._limit // ARRIVED_SHARE:
            self._drop()

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
        ahead = self.newest - last_seq
        for _ in range(ahead):
            text = self._written.pop()
            self._waiting.appendleft(_Entry(text, len(text), numbered=True))
            self._waiting_bytes += len(text)
        for _ in range(-ahead):  # seen after all, over the socket before
            self._waiting_bytes -= self._waiting.popleft().size
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
        while self._written and self.kept_bytes > 2 * self._limit:
            self._drop()

    def _drop(self) -> None:
        """Keep the oldest that was written no longer."""
        self._written_bytes -= len(self._written.popleft())
        self._lost += 1

    def _join(self, last: _Entry, event: JsonObject) -> bool:
        """Add to the newest event that waits, where both are text of one answer and the client is slow; whether it was so."""
        before = last.event
        if before is None or self._waiting_bytes <= self._limit // SLOW_SHARE:
            return False
        if event["type"] != DELTA or before["item_id"] != event["item_id"]:
            return False
        last.event = {**before, "delta": f"{before['delta']}{event['delta']}"}
        last.text = ""
        grown = len(encode({"": event["delta"]})) - len(encode({"": ""}))
        last.size += grown
        self._waiting_bytes += grown
        return True


def _with_seq(text: str, seq: int) -> str:
    """An event's text, its number put in behind its type, which stands first."""
    end = text.index('"', len(HEAD)) + 1
    return f'{text[:end]},"seq":{seq}{text[end:]}'
