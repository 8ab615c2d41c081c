"""What the clients of a load asked and what came of it: every question has exactly one end, or it is lost. No sockets here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Event = dict[str, Any]


@dataclass(slots=True)
class Asked:
    """One question; times in seconds of one clock.

    ends: terminal events that came for it. left: its client went away before one came, so that none is due.
    """

    at_s: float
    response_id: str = ""
    first_s: float | None = None
    ended_s: float | None = None
    ends: int = 0
    outcome: str = ""
    tokens: int = 0
    queue_s: float = 0.0
    left: bool = False

    @property
    def open(self) -> bool:
        """Whether its end is still to come."""
        return self.ends == 0 and not self.left

    @property
    def moved(self) -> bool:
        """Whether its answer has begun or ended."""
        return self.first_s is not None or self.ends > 0


@dataclass(slots=True)
class Tally:
    """All questions of all clients, and how their connections fared.

    closes: connections that ended though their client had not meant to, by code and reason. strange: events that no client
    should see, by what is wrong with them. pings_s: how long answered pings took. slow: the end of the client that stopped
    reading, by code.
    """

    asked: list[Asked] = field(default_factory=list)
    closes: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)
    slow: Counter[str] = field(default_factory=Counter)
    pings_s: list[float] = field(default_factory=list)
    ping_timeouts: int = 0
    connections: int = 0
    going_away: int = 0


class Line:
    """One connection's questions, told apart by their ids."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._seq = 0
        self._by_event: dict[str, Asked] = {}
        self._by_response: dict[str, Asked] = {}
        self.leaving = False
        tally.connections += 1

    @property
    def open(self) -> list[Asked]:
        """Questions whose end is still to come, the oldest first."""
        return [asked for asked in self._by_event.values() if asked.open]

    def ask(self, event_id: str, now_s: float) -> Asked:
        """A question is sent under this id."""
        asked = self._by_event[event_id] = Asked(now_s)
        self._tally.asked.append(asked)
        return asked

    def leave(self) -> None:
        """The client goes: nothing that is open will end."""
        for asked in self.open:
            asked.left = True

    def hear(self, event: Event, now_s: float) -> bool:
        """One event of the daemon; whether something began or ended by it."""
        self._seq += 1
        if event.get("seq") != self._seq:
            self._tally.strange["seq"] += 1
            self._seq = int(event.get("seq") or self._seq)
        match event.get("type"):
            case "response.created":
                response = event["response"]
                self._created(response["id"], response["livevlm"]["client_event_id"])
            case "response.output_text.delta":
                return self._began(event["response_id"], now_s)
            case "response.done":
                return self._done(event["response"], now_s)
            case "error":
                return self._refused(event["error"], now_s)
            case "session.going_away":
                self.leaving = True
                self._tally.going_away += 1
                return True
        return False

    def _created(self, response_id: str, event_id: str | None) -> None:
        asked = self._by_event.get(event_id or "")
        if asked is None:
            self._tally.strange["response.created of nobody's question"] += 1
            return
        asked.response_id = response_id
        self._by_response[response_id] = asked

    def _began(self, response_id: str, now_s: float) -> bool:
        asked = self._by_response.get(response_id)
        if asked is None or asked.first_s is not None:
            return False
        asked.first_s = now_s
        return True

    def _done(self, response: Event, now_s: float) -> bool:
        asked = self._by_event.get(response["livevlm"]["client_event_id"] or "")
        if asked is None:
            self._tally.strange["response.done of nobody's question"] += 1
            return False
        details = response.get("status_details") or {}
        error = details.get("error") or {}
        self._end(asked, now_s, str(error.get("code") or response["status"]))
        asked.tokens = int((response.get("usage") or {}).get("output_tokens") or 0)
        timings = response["livevlm"].get("timings") or {}
        asked.queue_s = float(timings.get("queue_ms") or 0.0) / 1000
        return True

    def _refused(self, error: Event, now_s: float) -> bool:
        asked = self._by_event.get(error.get("event_id") or "")
        if asked is None:
            # A cancellation may come too late: then there is nothing to cancel any more.
            if error.get("code") != "response_not_found":
                self._tally.strange[f"error {error.get('code')}"] += 1
            return False
        self._end(asked, now_s, str(error.get("code")))
        return True

    def _end(self, asked: Asked, now_s: float, outcome: str) -> None:
        asked.ends += 1
        asked.ended_s, asked.outcome = now_s, outcome


def figures(tally: Tally, elapsed_s: float) -> dict[str, Any]:
    """What is told of it all. Times are milliseconds where they say so, seconds else."""
    asked = tally.asked
    outcomes = Counter(one.outcome for one in asked if one.ends)
    first = [one.first_s - one.at_s for one in asked if one.first_s is not None]
    whole = [one.ended_s - one.at_s for one in asked if one.ended_s is not None and one.first_s]
    queued = [one.queue_s for one in asked if one.first_s is not None]
    tokens = sum(one.tokens for one in asked)
    return {
        "questions": len(asked),
        "ended_once": sum(one.ends == 1 for one in asked),
        "lost": sum(one.open for one in asked),
        "ended_twice": sum(one.ends > 1 for one in asked),
        "left_by_client": sum(one.left and one.ends == 0 for one in asked),
        "outcomes": dict(sorted(outcomes.items())),
        **dict(_shares("first_token_ms", first, 1000)),
        **dict(_shares("whole_s", whole, 1)),
        **dict(_shares("queue_s", queued, 1)),
        "answers_per_s": len(whole) / elapsed_s,
        "tokens_per_s": tokens / elapsed_s,
        "connections": tally.connections,
        "closed_unasked": dict(tally.closes),
        "ping_timeouts": tally.ping_timeouts,
        **dict(_shares("ping_ms", tally.pings_s, 1000)),
        "slow_client": dict(tally.slow),
        "strange": dict(tally.strange),
        "told_of_the_end": tally.going_away,
    }


def _shares(name: str, values: Sequence[float], times: float) -> Iterator[tuple[str, float | None]]:
    """The middle, what one in twenty exceeds, and the largest; null where there is nothing."""
    head, _, unit = name.rpartition("_")
    for label, percent in (("p50", 50), ("p95", 95), ("max", 100)):
        found = times * float(np.percentile(values, percent)) if values else None
        yield f"{head}_{label}_{unit}", found
