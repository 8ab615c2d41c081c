"""Life: the states of a stream and what leads from one to the next, as one table.

`connecting`: being opened for the first time, or after a pause. `live`: pictures come. `stalled`: it is open, but no picture
has come for half the stall timeout. `reconnecting`: lost after pictures had come, and opened again and again. `paused`: at
rest until somebody resumes it. `ended`: a recording is over, or the stream was stopped. `failed`: trying again would not
help.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

State = Literal["connecting", "live", "stalled", "reconnecting", "paused", "ended", "failed"]
# picture: one came. silence: none for too long, though the source is open. loss: the source broke off or could not be opened,
# and will be tried again. end: of a recording, or by a stop. failure: what trying again does not mend. pause, resume: as
# asked.
Event = Literal["picture", "silence", "loss", "end", "failure", "pause", "resume"]

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)
FINAL: frozenset[State] = frozenset({"ended", "failed"})

TABLE: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        "connecting": {
            "picture": "live",
            "loss": "connecting",
            "end": "ended",
            "failure": "failed",
            "pause": "paused",
        },
        "live": {
            "picture": "live",
            "silence": "stalled",
            "loss": "reconnecting",
            "end": "ended",
            "failure": "failed",
            "pause": "paused",
        },
        "stalled": {
            "picture": "live",
            "loss": "reconnecting",
            "end": "ended",
            "failure": "failed",
            "pause": "paused",
        },
        "reconnecting": {
            "picture": "live",
            "loss": "reconnecting",
            "end": "ended",
            "failure": "failed",
            "pause": "paused",
        },
        "paused": {"end": "ended", "failure": "failed", "resume": "connecting"},
        "ended": {},
        "failed": {},
    }
)


class Refused(ValueError):
    """An event that means nothing in a state."""


def after(state: State, event: Event) -> State:
    """The state that an event leads to. Raises Refused where the table has no such step."""
    try:
        return TABLE[state][event]
    except KeyError:
        raise Refused(f"a stream that is {state} takes no {event}") from None


def table_text() -> str:
    """The table as Markdown: a row a state, a column an event; what is refused is left empty."""
    rows = [["", *EVENTS], ["---"] * (len(EVENTS) + 1)]
    rows += [
        [f"**{state}**", *(TABLE[state].get(event, "") for event in EVENTS)] for state in STATES
    ]
    lines = ["".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in rows]
    return "\n".join(lines)
