"""A daemon under load, watched from outside: its pages read again and again, and what they say of every stream."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from livevlm.bench.usage import MIB, mapped_mib, resident_mib

PAGE_S = 60.0


def page(host: str, path: str) -> str:
    """A page of the daemon at HOST:PORT. OSError or HTTPException where it gives none."""
    connection = http.client.HTTPConnection(host, timeout=PAGE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def streams(host: str) -> list[dict[str, Any]]:
    """What the daemon knows of its streams now."""
    listed: list[dict[str, Any]] = json.loads(page(host, "/v1/status"))["streams"]
    return listed


def number(metrics: str, name: str) -> int:
    """A number without labels, as the metrics say; 0 where they do not."""
    found = re.search(rf"^livevlm_{name} (\S+)$", metrics, re.MULTILINE)
    return 0 if found is None else int(float(found[1]))


def slow_closes(metrics: str) -> int:
    """How many sessions were closed because they read too slowly, as the metrics say."""
    return number(metrics, "ws_slow_consumer_closes_total")


def weight(host: str, process: int, statuses: list[dict[str, Any]]) -> dict[str, float]:
    """What a daemon's resident memory consists of now, in MiB. `files`: pages of libraries. `streams`: what is allocated for
    what is remembered, used or not. `clients`: what is kept for them. `rest`: Python and its modules, the model, answers in
    progress, what allocators hold.
    """
    parts = {
        "files": mapped_mib(process),
        "streams": sum(one["memory_bytes"] for one in statuses) / MIB,
        "clients": number(page(host, "/metrics"), "ws_kept_bytes") / MIB,
    }
    whole = resident_mib(process)
    return {"resident": whole, **parts, "rest": whole - sum(parts.values())}


@dataclass(slots=True)
class Progress:
    """One stream over the time it was watched; in seconds of the watcher's clock, frames, and counts by reason."""

    name: str
    began_s: float
    first: Mapping[str, Any]
    newest: Mapping[str, Any]
    moved_s: float
    now_s: float
    longest_gap_s: float = 0.0

    def note(self, now_s: float, status: Mapping[str, Any]) -> None:
        """What the daemon says of it now."""
        self.longest_gap_s = max(self.longest_gap_s, now_s - self.moved_s)
        if status["frames_encoded"] != self.newest["frames_encoded"]:
            self.moved_s = now_s
        self.newest, self.now_s = status, now_s

    def row(self, fps: float) -> dict[str, Any]:
        """How it fared, against the frames that were due. A gap is known as exactly as it was looked often."""
        passed_s = self.now_s - self.began_s
        before, after = self.first["frames_dropped"], self.newest["frames_dropped"]
        lost = {reason: count - before.get(reason, 0) for reason, count in after.items()}
        return {
            "stream": self.name,
            "encoded": self.newest["frames_encoded"] - self.first["frames_encoded"],
            "due": int(passed_s * fps),
            "longest_gap_s": self.longest_gap_s,
            "waiting": self.newest["frames_waiting"],
            "dropped": sum(lost.values()),
            "dropped_backpressure": lost.get("backpressure", 0),
        }


@dataclass(slots=True)
class Watch:
    """All streams of a daemon, and what it weighed when it weighed most. Streams that come later are not watched."""

    progress: dict[str, Progress] = field(default_factory=dict)
    heaviest: dict[str, float] = field(default_factory=dict)

    def note(self, now_s: float, statuses: list[dict[str, Any]]) -> None:
        """What `streams` has given."""
        if not self.progress:
            self.progress = {
                one["name"]: Progress(one["name"], now_s, one, one, now_s, now_s)
                for one in statuses
            }
        for status in statuses:
            if status["name"] in self.progress:
                self.progress[status["name"]].note(now_s, status)

    def weigh(self, found: dict[str, float]) -> None:
        """What `weight` has given."""
        self.heaviest = max(self.heaviest, found, key=lambda one: one.get("resident", 0.0))

    def rows(self, fps: float) -> list[dict[str, Any]]:
        """A row for each stream."""
        return [one.row(fps) for one in self.progress.values()]
