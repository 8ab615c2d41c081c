"""How verbs print: JSON Lines, aligned tables, spans of time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from livevlm.messages import TIER_NAMES, AnswerChunk, AnswerEvent, Evidence, Queued, Recalled
from livevlm.service.wire import as_of_json, evidence_json, failure_json, timings_json


def print_json(value: Mapping[str, object]) -> None:
    """One line of JSON Lines, out at once."""
    print(json.dumps(value, separators=(",", ":")), flush=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """An aligned table; nothing is cut where standard output is no terminal. Colours only on one, and never under NO_COLOR."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold", no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def clock(seconds: float) -> str:
    """Stream seconds as m:ss.s or h:mm:ss."""
    minutes, rest = divmod(round(seconds, 1), 60)
    if minutes < 60:
        return f"{minutes:.0f}:{rest:04.1f}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{int(rest):02d}"


def time_of_day(utc: float) -> str:
    """Local time of POSIX seconds, as hh:mm:ss."""
    return datetime.fromtimestamp(utc).strftime("%H:%M:%S")


def evidence_line(evidence: Evidence, *, day: bool = True) -> str:
    """One span that an answer was given from, for people; with `day`, also the time of day."""
    span = f"{clock(evidence.from_s)} - {clock(evidence.to_s)}"
    if day:
        span += f"  ({time_of_day(evidence.from_utc)} - {time_of_day(evidence.to_utc)})"
    return f"{evidence.stream}  {span}  {TIER_NAMES[evidence.tier]}  score {evidence.score:.3f}"


def event_json(event: AnswerEvent) -> dict[str, object]:
    """One event as a line of --json: `queued` where it waits, `evidence`, then `delta`s, then the `answer`."""
    if isinstance(event, AnswerChunk):
        return {"type": "delta", "text": event.text}
    if isinstance(event, Queued):
        return {"type": "queued", "position": event.position}
    spans = [evidence_json(evidence) for evidence in event.evidence]
    seen: dict[str, object] = {"as_of": as_of_json(event.as_of), "evidence": spans}
    if isinstance(event, Recalled):
        return {"type": "evidence"} | seen
    answer = {"stream": event.stream, "text": event.text, "status": event.status}
    end = {"timings": timings_json(event.timings), "error": failure_json(event.failure)}
    return {"type": "answer"} | answer | seen | end


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError
