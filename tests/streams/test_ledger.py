"""What became of every picture that came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.ledger import REASONS, Ledger, Tally
from streams.mailbox import Mailbox, MailboxCounts, Policy
from tests.streams.pictures import frame


def whole(tally: Tally) -> bool:
    """Whether every picture is accounted for."""
    gone = tally.unsampled + sum(tally.dropped.values()) + tally.waiting + tally.taken
    return tally.received == gone and tally.waiting >= 0


def test_each_fate_is_counted_apart() -> None:
    """Reasons that never came are named too, so that graphs begin at 0."""
    ledger = Ledger()
    ledger.come(kept=False)
    ledger.come(kept=True)
    ledger.hand_over()
    ledger.come(kept=True)
    ledger.let_go("similar")
    ledger.lose("skipped")
    ledger.come(kept=True)
    tally = ledger.tally(MailboxCounts(put=1, taken=1), "backpressure")
    assert tally == Tally(
        received=5,
        unsampled=1,
        sampled=1,
        dropped=dict.fromkeys(REASONS, 0) | {"similar": 1, "skipped": 1},
        waiting=1,
        taken=1,
    )
    assert whole(tally)


def test_a_picture_that_never_became_a_frame_is_damaged() -> None:
    """Kept, and then the next one came, or the opening was over: it is not left waiting for ever."""
    ledger = Ledger()
    ledger.come(kept=True)
    ledger.come(kept=True)
    ledger.settle()
    ledger.settle()
    tally = ledger.tally(MailboxCounts(), "backpressure")
    assert (tally.dropped["corrupt"], tally.waiting) == (2, 0)


def test_a_frame_that_went_in_while_the_mailbox_was_counted() -> None:
    """It is counted once, whichever of the two was looked at first."""
    ledger = Ledger()
    before = MailboxCounts()
    ledger.come(kept=True)
    after_put = MailboxCounts(put=1, waiting=1)
    assert whole(ledger.tally(after_put, "backpressure"))
    assert ledger.tally(after_put, "backpressure").waiting == 1
    ledger.hand_over()
    assert whole(ledger.tally(before, "backpressure"))
    assert ledger.tally(before, "backpressure").waiting == 1


STEPS = st.lists(
    st.sampled_from(["unsampled", "kept", "similar", "broken", "corrupt", "skipped"])
    | st.integers(0, 4),
    max_size=80,
)


@given(st.sampled_from(["oldest", "latest", "block"]), st.integers(1, 4), STEPS)
def test_every_picture_is_accounted_for_at_every_moment(
    policy: Policy, capacity: int, steps: list[str | int]
) -> None:
    """received = unsampled + dropped + waiting + taken, whatever comes, is dropped and is taken, in whatever order."""
    ledger, mailbox = Ledger(), Mailbox(capacity, policy)
    for step in steps:
        match step:
            case int():
                mailbox.take(step)
            case "corrupt" | "skipped":
                ledger.lose(step)
            case "unsampled":
                ledger.come(kept=False)
            case _:
                ledger.come(kept=True)
                assert whole(ledger.tally(mailbox.counts(), mailbox.reason))
                if step == "similar":
                    ledger.let_go(step)
                elif step == "kept" and mailbox.put(frame(0), 0):
                    assert whole(ledger.tally(mailbox.counts(), mailbox.reason))
                    ledger.hand_over()
        assert whole(ledger.tally(mailbox.counts(), mailbox.reason))
