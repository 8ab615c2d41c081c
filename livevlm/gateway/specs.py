"""The tools that an assistant is offered: their names, what each is for, and what it takes, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from livevlm.service.wire import JsonObject
from livevlm.watching.watch import MAX_CONDITION, MAX_NAME, MODES

NOTHING: Mapping[str, JsonObject] = MappingProxyType({})

STREAM: JsonObject = {
    "type": "string",
    "description": "The stream's name, as list_streams tells it. May be left out where there is only one.",
}
MOMENT = "seconds of stream time, or a time such as 2026-01-31T10:32:00Z"
TIMES: Mapping[str, JsonObject] = MappingProxyType(
    {
        "last": {
            "type": ["string", "number"],
            "description": "Only the newest part: seconds, or a duration such as 90s, 15m or 2h.",
        },
        "from": {"type": ["string", "number"], "description": f"Only from here on: {MOMENT}."},
        "to": {"type": ["string", "number"], "description": f"Only up to here: {MOMENT}."},
        "at": {"type": ["string", "number"], "description": f"Only around this: {MOMENT}."},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One tool. takes: its arguments, by name; changes: whether it leaves the daemon other than it was."""

    name: str
    title: str
    purpose: str
    takes: Mapping[str, JsonObject] = field(default_factory=lambda: NOTHING)
    required: tuple[str, ...] = ()
    changes: bool = False

    def schema(self) -> JsonObject:
        """What it takes, as JSON Schema."""
        return {
            "type": "object",
            "properties": dict(self.takes),
            "required": [*self.required],
            "additionalProperties": False,
        }


SPECS = (
    Spec(
        name="list_streams",
        title="List streams",
        purpose="The cameras and recordings that are watched: their state, how far they have been seen, and since when"
        " they are remembered.",
    ),
    Spec(
        name="ask_stream",
        title="Ask about a stream",
        purpose="Asks a vision-language model about what a stream shows, now or at any time that is remembered. Gives the"
        " answer, as_of (the newest frame that was seen), and the spans of time that it was given from.",
        takes={
            "question": {"type": "string", "description": "The question, in plain words."},
            "stream": STREAM,
            **TIMES,
        },
        required=("question",),
    ),
    Spec(
        name="search_memory",
        title="Search a stream's memory",
        purpose="Finds when something was seen in a stream, without asking the model for an answer. Gives spans of time,"
        " best first; get_frame shows what was seen there.",
        takes={
            "query": {"type": "string", "description": "What is looked for, in plain words."},
            "stream": STREAM,
            **TIMES,
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "description": "How many frames are told at most (8).",
            },
        },
        required=("query",),
    ),
    Spec(
        name="get_frame",
        title="Look at a frame",
        purpose="A picture of what a stream showed: of the frame that a span names, of the moment `at`, or the newest.",
        takes={
            "stream": STREAM,
            "frame": {"type": "integer", "minimum": 0, "description": "A span's `frame`."},
            "at": {"type": ["string", "number"], "description": f"A moment: {MOMENT}."},
        },
    ),
    Spec(
        name="create_watch",
        title="Watch for something",
        purpose="Has the daemon look for a condition in a stream by itself, from now on, until it expires or is removed."
        " list_watches tells whether it was so, and when.",
        takes={
            "condition": {
                "type": "string",
                "maxLength": MAX_CONDITION,
                "description": "A question that is answered by yes or no, a thing, or a sentence.",
            },
            "stream": STREAM,
            "name": {"type": "string", "maxLength": MAX_NAME, "description": "To remove it by."},
            "mode": {
                "type": "string",
                "enum": [*MODES],
                "description": "`once`: the first time alone; `repeat` (the default): every time.",
            },
            "cooldown_s": {
                "type": "number",
                "minimum": 0,
                "description": "The least time between two triggers, in seconds (60).",
            },
            "confirm_n": {
                "type": "integer",
                "minimum": 1,
                "description": "So many looks in a row must agree (1).",
            },
            "threshold": {
                "type": "number",
                "exclusiveMinimum": 0,
                "exclusiveMaximum": 1,
                "description": "From which probability of a yes on it is so (0.5).",
            },
            "for": {"type": "string", "description": "When it ends, as 8h. Default: never."},
        },
        required=("condition",),
        changes=True,
    ),
    Spec(
        name="list_watches",
        title="List watches",
        purpose="What the daemon looks for: each watch with its state, its newest probability, how often it has triggered,"
        " and when it did last.",
    ),
    Spec(
        name="remove_watch",
        title="Remove a watch",
        purpose="Ends a watch and forgets it.",
        takes={"watch": {"type": "string", "description": "Its id, or its name."}},
        required=("watch",),
        changes=True,
    ),
    Spec(
        name="memory_stats",
        title="Size of the memory",
        purpose="How much of a stream is remembered, from when to when, and what that takes; of all streams without one.",
        takes={"stream": {**STREAM, "description": "The stream's name. Default: all."}},
    ),
)
