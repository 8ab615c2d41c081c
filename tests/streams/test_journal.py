"""What a stream's thread writes down about itself."""

from __future__ import annotations

from streams.errors import SourceEnded
from streams.journal import Journal, ReaderStatus


def look(journal: Journal, *, silent: bool = False) -> ReaderStatus:
    return journal.status(live=True, backpressure=7, silent=silent)


def test_counts() -> None:
    """Each count is kept apart; reasons that never came are named too, so that graphs begin at 0."""
    journal = Journal()
    journal.receive(5.0)
    journal.receive(6.0)
    journal.sample()
    journal.lose("corrupt")
    journal.lose("other")
    status = look(journal)
    assert (status.received, status.sampled, status.last_frame_utc) == (2, 1, 6.0)
    dropped = {"backpressure": 7, "before_keyframe": 0, "corrupt": 1, "skipped": 0, "other": 1}
    assert status.dropped == dropped


def test_states_and_errors() -> None:
    """An error stays until the stream is live again; only a live stream can be stalled."""
    journal = Journal()
    assert look(journal, silent=True).state == "connecting"
    journal.opened(live=True)
    assert (look(journal).state, look(journal, silent=True).state) == ("live", "stalled")
    journal.enter("reconnecting", SourceEnded("cam stopped"))
    status = look(journal, silent=True)
    assert (status.state, status.error_code, status.error) == (
        "reconnecting",
        "STREAM_ENDED",
        "cam stopped",
    )
    journal.opened(live=True)
    assert (look(journal).error_code, look(journal).reconnects) == (None, 1)
