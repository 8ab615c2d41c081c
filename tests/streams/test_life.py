"""The table of a stream's states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.life import EVENTS, FINAL, STATES, TABLE, Event, Refused, State, after, table_text

# What must be refused, written out a second time: a change of the table is a change of what a stream's life means.
REFUSED: dict[State, set[Event]] = {
    "connecting": {"silence", "resume"},
    "live": {"resume"},
    "stalled": {"silence", "resume"},
    "reconnecting": {"silence", "resume"},
    "paused": {"picture", "silence", "loss", "pause"},
    "ended": set(EVENTS),
    "failed": set(EVENTS),
}
LEADS_TO: dict[Event, set[State]] = {
    "picture": {"live"},
    "silence": {"stalled"},
    "loss": {"connecting", "reconnecting"},
    "end": {"ended"},
    "failure": {"failed"},
    "pause": {"paused"},
    "resume": {"connecting"},
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_pair_is_in_the_table_or_refused(state: State, event: Event) -> None:
    """Nothing is left to chance."""
    if event in REFUSED[state]:
        with pytest.raises(Refused, match=f"{state} takes no {event}"):
            after(state, event)
    else:
        assert after(state, event) in LEADS_TO[event]


def test_a_source_that_was_never_seen_is_not_reconnected() -> None:
    """`reconnecting` says that there were pictures before."""
    assert [state for state in STATES if TABLE[state].get("loss") == "reconnecting"] == [
        "live",
        "stalled",
        "reconnecting",
    ]
    assert after("connecting", "loss") == "connecting"


WALKS = st.lists(st.sampled_from(EVENTS), max_size=60)


def walk(events: list[Event]) -> list[tuple[State, Event, State]]:
    """The steps that a life takes through events, those that are refused left out."""
    state: State = "connecting"
    steps: list[tuple[State, Event, State]] = []
    for event in events:
        try:
            following = after(state, event)
        except Refused:
            continue
        steps.append((state, event, following))
        state = following
    return steps


@given(WALKS)
def test_whatever_happens_a_stream_is_live_only_after_a_picture(events: list[Event]) -> None:
    """Whatever went before: live is what a picture says, stalled what silence says of a live one, paused what was asked for."""
    for before, event, state in walk(events):
        assert (state == "live") == (event == "picture")
        assert (state == "stalled") == (before == "live" and event == "silence")
        assert (state == "paused") == (event == "pause")
        assert before != "paused" or event in ("resume", "end", "failure")


@given(WALKS)
def test_nothing_follows_the_end(events: list[Event]) -> None:
    """A stream that ended or failed stays so, whatever a thread that was left behind still says."""
    steps = walk(events)
    assert all(before not in FINAL for before, _event, _after in steps)


@given(WALKS)
def test_from_everywhere_there_is_a_way_back(events: list[Event]) -> None:
    """No state but the last ones is a trap."""
    steps = walk(events)
    state = steps[-1][2] if steps else "connecting"
    if state == "paused":
        state = after(state, "resume")
    if state not in FINAL:
        assert after(state, "picture") == "live"
        assert after(state, "end") == "ended"


def test_the_table_as_text_says_what_the_table_says() -> None:
    """One row a state, one column an event, in the table's words."""
    head, _rule, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table_text().splitlines()
    ]
    assert head[1:] == list(EVENTS)
    found = {row[0].strip("*"): dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    for state in STATES:
        assert {event: to for event, to in found[state].items() if to} == dict(TABLE[state])
