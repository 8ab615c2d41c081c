"""The bounded queue between a stream's thread and the model's."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.mailbox import Mailbox, Policy
from tests.streams.pictures import frame, until


def indices(mailbox: Mailbox, limit: int = 1000) -> list[int]:
    return [each.index for each in mailbox.take(limit)]


def test_frames_come_out_in_order_and_no_more_than_asked() -> None:
    """A chunk is taken at a time."""
    mailbox = Mailbox(8)
    for index in range(5):
        assert mailbox.put(frame(index))
    assert len(mailbox) == 5
    assert indices(mailbox, 3) == [0, 1, 2]
    assert indices(mailbox, 3) == [3, 4]
    assert indices(mailbox, 3) == []


def test_a_full_mailbox_of_a_live_stream_lets_the_oldest_go_and_counts_it() -> None:
    """A slow model sees what is now, not what was."""
    mailbox = Mailbox(3, "oldest")
    assert all(mailbox.put(frame(index)) for index in range(10))
    assert mailbox.dropped == 7
    assert indices(mailbox) == [7, 8, 9]


def test_a_full_mailbox_that_wants_the_latest_alone_is_emptied_for_it() -> None:
    """A model that is far behind sees the present next, and nothing of what led to it."""
    mailbox = Mailbox(3, "latest")
    assert all(mailbox.put(frame(index)) for index in range(10))
    assert (mailbox.dropped, mailbox.reason) == (9, "superseded")
    assert indices(mailbox) == [9]


def test_a_full_mailbox_of_a_recording_makes_the_putter_wait_until_there_is_room() -> None:
    """A replay loses nothing, however slow the model."""
    mailbox = Mailbox(2, "block")
    putter = threading.Thread(
        target=lambda: [mailbox.put(frame(index)) for index in range(50)], daemon=True
    )
    putter.start()
    seen: list[int] = []
    until(lambda: seen.__iadd__(indices(mailbox, 1)) and len(seen) == 50)
    putter.join()
    assert seen == list(range(50))
    assert mailbox.dropped == 0


def test_putting_gives_up_after_its_timeout() -> None:
    """So that a putter can look whether it was told to stop."""
    mailbox = Mailbox(1, "block")
    assert mailbox.put(frame(0))
    assert not mailbox.put(frame(1), timeout=0.001)
    assert indices(mailbox) == [0]


def test_closing_wakes_a_waiting_putter_and_keeps_what_is_inside() -> None:
    """Shutting down neither hangs nor loses."""
    mailbox = Mailbox(1, "block")
    mailbox.put(frame(0))
    results: list[bool] = []
    putter = threading.Thread(target=lambda: results.append(mailbox.put(frame(1))), daemon=True)
    putter.start()
    mailbox.close()
    putter.join(10)
    assert results == [False]
    assert mailbox.closed
    assert indices(mailbox) == [0]
    assert not mailbox.put(frame(2))


@given(
    st.sampled_from(["oldest", "latest"]),
    st.integers(1, 6),
    st.lists(st.one_of(st.just("put"), st.integers(0, 7)), max_size=80),
)
def test_every_frame_is_taken_or_counted_as_dropped(
    policy: Policy, capacity: int, steps: list[str | int]
) -> None:
    """Nothing vanishes unseen, order holds, and the bound holds at every step."""
    mailbox = Mailbox(capacity, policy)
    put, taken = 0, []
    for step in steps:
        if isinstance(step, int):
            taken += indices(mailbox, step)
        else:
            mailbox.put(frame(put))
            put += 1
        assert len(mailbox) <= capacity
        counts = mailbox.counts()
        assert counts.put == counts.dropped + counts.taken + counts.waiting == put
    taken += indices(mailbox)
    assert taken == sorted(set(taken))
    assert len(taken) + mailbox.dropped == put


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_mailbox_must_hold_something(capacity: int) -> None:
    """Or nothing would ever get through."""
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox(capacity)


def test_a_policy_that_is_none() -> None:
    """A misspelt policy is an error at once."""
    with pytest.raises(ValueError, match="newest"):
        Mailbox(1, "newest")  # type: ignore[arg-type]
