"""Ledger: what became of every picture that came."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from streams.mailbox import MailboxCounts

# Why a picture was not looked at, though its time had come. backpressure: it waited, and gave way to newer ones, the oldest
# first (`drop = "oldest"`); superseded: so did all that waited (`drop = "latest"`). similar: it showed what the one before it
# showed. corrupt: it could not be decoded, or came out damaged. before_keyframe: it refers to pictures that were never
# received. skipped: it was never decoded, because no picture that was due needed it.
REASONS = ("backpressure", "superseded", "similar", "corrupt", "before_keyframe", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the pictures that came, at one moment: received = unsampled + all of dropped + waiting + taken.

    received: pictures that came, decoded or not. unsampled: decoded, but no picture was due. dropped: by reason. waiting: in
    the reader's hands or in the mailbox. taken: out of the mailbox, for the model.
    """

    received: int
    unsampled: int
    sampled: int
    dropped: dict[str, int]
    waiting: int
    taken: int


class Ledger:
    """Counts one stream's pictures. Each comes once (`come`, or `lose`) and, if it was kept, goes once (`hand_over`,
    `let_go`).
    """

    def __init__(self) -> None:
        self.received = 0
        self._unsampled = 0
        self._sampled = 0
        self._in_hand = 0
        self._lost: Counter[str] = Counter()

    def come(self, *, kept: bool) -> None:
        """A decoded picture. One that was kept before and never became a frame could not be turned into pixels."""
        self.settle()
        self.received += 1
        self._unsampled += not kept
        self._in_hand += kept

    def lose(self, reason: str) -> None:
        """A picture that did not come out of the decoder."""
        self.received += 1
        self._lost[reason] += 1

    def hand_over(self) -> None:
        """The kept picture went into the mailbox."""
        self._in_hand -= 1
        self._sampled += 1

    def let_go(self, reason: str) -> None:
        """The kept picture goes nowhere."""
        self._in_hand -= 1
        self._lost[reason] += 1

    def settle(self) -> None:
        """No frame comes any more of a picture that was kept."""
        if self._in_hand:
            self.let_go("corrupt")

    def tally(self, mailbox: MailboxCounts, reason: str) -> Tally:
        """All of it; `mailbox`: its counts, read before this ledger, so that what went in since then counts as waiting."""
        since = self._sampled - mailbox.put
        dropped = Counter(self._lost)
        dropped[reason] += mailbox.dropped
        return Tally(
            received=self.received,
            unsampled=self._unsampled,
            sampled=self._sampled,
            dropped=dict.fromkeys(REASONS, 0) | dropped,
            waiting=self._in_hand + since + mailbox.waiting,
            taken=mailbox.taken,
        )
