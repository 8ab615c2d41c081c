"""Values on the wire: what is written can be read back, and nothing makes it unwritable."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livevlm.messages import AsOf, Evidence, Failure, StreamStatus, TimeRange, Timings
from livevlm.service.timespan import time_range
from livevlm.service.wire import (
    Json,
    JsonObject,
    as_of_json,
    encode,
    evidence_json,
    failure_json,
    posix_seconds,
    read_as_of,
    read_evidence,
    read_failure,
    read_object,
    read_status,
    read_timings,
    status_json,
    time_range_json,
    timings_json,
    utc_text,
)

SECONDS = st.floats(0, 1e7).map(lambda number: round(number, 6))
MOMENTS = st.floats(0, 4e9).map(lambda number: round(number, 3))
COUNTS = st.integers(0, 2**40)
TEXTS = st.text(max_size=10)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True)
AS_OFS = st.builds(AsOf, stream_s=SECONDS, utc=MOMENTS)
SPANS = st.builds(
    Evidence,
    stream=NAMES,
    from_s=SECONDS,
    to_s=SECONDS,
    from_utc=MOMENTS,
    to_utc=MOMENTS,
    score=SECONDS,
    tier=st.sampled_from(["short", "long", "archive"]),
    picture=st.none() | COUNTS,
)
STATUSES = st.builds(
    StreamStatus,
    name=TEXTS,
    source=TEXTS,
    live=st.booleans(),
    state=TEXTS,
    error_code=st.none() | TEXTS,
    error=st.none() | TEXTS,
    frames_received=COUNTS,
    frames_encoded=COUNTS,
    frames_dropped=st.dictionaries(TEXTS, COUNTS, max_size=3),
    reconnects=COUNTS,
    queue_frames=COUNTS,
    last_frame_utc=st.none() | MOMENTS,
    as_of=st.none() | AS_OFS,
    memory_tokens=st.dictionaries(TEXTS, COUNTS, max_size=3),
    memory_bytes=COUNTS,
    memory_from_s=st.none() | SECONDS,
    since_utc=st.none() | MOMENTS,
    next_try_s=st.none() | SECONDS,
    frames_unsampled=COUNTS,
    frames_waiting=COUNTS,
    drift_s=st.none() | SECONDS,
    drift_s_per_hour=st.none() | SECONDS,
)
RANGES = (
    st.builds(TimeRange, last_s=st.floats(0.001, 1e9))
    | st.builds(
        lambda start, length: TimeRange(from_s=start, to_s=start + length), SECONDS, SECONDS
    )
    | st.builds(
        lambda start, length: TimeRange(from_s=start, to_s=start + length, utc=True),
        MOMENTS,
        COUNTS.map(lambda n: n % 10**6),
    )
    | st.builds(TimeRange, from_s=SECONDS)
    | st.builds(TimeRange, to_s=MOMENTS, utc=st.just(True))
)


def sent(value: Json) -> Json:
    """A value as it arrives on the other side."""
    return read_object(encode({"value": value}))["value"]


def near(found: object, wanted: object) -> bool:
    """Equal, up to the rounding of times to milliseconds."""
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=0, abs_tol=0.0011)
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(near(found[key], wanted[key]) for key in found)
    return found == wanted


@given(STATUSES)
def test_a_status_survives_the_wire(status: StreamStatus) -> None:
    """What a client reads is what the daemon knew."""
    found = sent(status_json(status))
    assert isinstance(found, dict)
    assert near(asdict(read_status(found)), asdict(status))


@given(st.lists(SPANS, max_size=3), st.none() | AS_OFS)
def test_evidence_survives_the_wire(spans: list[Evidence], as_of: AsOf | None) -> None:
    """In order, each span with both its clocks."""
    found = read_evidence(sent([evidence_json(span) for span in spans]))
    assert [near(asdict(a), asdict(b)) for a, b in zip(found, spans, strict=True)] == [True] * len(
        spans
    )
    back = read_as_of(sent(as_of_json(as_of)))
    assert (back is None) == (as_of is None)
    assert back is None or as_of is None or near(asdict(back), asdict(as_of))


@given(
    st.builds(
        Timings,
        **{
            name: SECONDS
            for name in ("queue_s", "flush_s", "retrieve_s", "ttft_s", "decode_s", "total_s")
        },
    )
)
def test_timings_survive_the_wire(timings: Timings) -> None:
    """Seconds here, milliseconds there."""
    assert near(asdict(read_timings(sent(timings_json(timings)))), asdict(timings))


@given(
    st.none() | st.builds(Failure, code=TEXTS.filter(bool), message=TEXTS, kind=TEXTS.filter(bool))
)
def test_failures_survive_the_wire(failure: Failure | None) -> None:
    """And no failure stays none."""
    assert read_failure(sent(failure_json(failure))) == failure


@given(RANGES)
def test_time_ranges_survive_the_wire(time: TimeRange) -> None:
    """What the client writes, the server reads."""
    found = sent(time_range_json(time))
    assert isinstance(found, dict)
    back = time_range(last=found.get("last"), start=found.get("from"), end=found.get("to"))
    assert back is not None
    assert near(asdict(back), asdict(time))


@given(st.floats(allow_nan=True, allow_infinity=True), st.text())
def test_any_number_and_any_text_can_be_sent(number: float, text: str) -> None:
    """NaN, infinity, years beyond any calendar, and characters that are none."""
    as_of = AsOf(stream_s=number, utc=number)
    event: JsonObject = {"as_of": as_of_json(as_of), "text": text + "\ud800"}
    line = encode(event)
    assert line.isascii()
    json.loads(line, parse_constant=lambda name: pytest.fail(name))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["as_of", "stream_s", "name", "frames_dropped"]), x)
        ),
    )
)
def test_reading_takes_anything_but_broken_times(value: Json) -> None:
    """A client must not fall over a daemon that sends a field it does not expect."""
    assert read_timings(value) is not None
    read_evidence(value)
    read_failure(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_769_853_600.1239, "2026-01-31T10:00:00.123Z"),
        (-1.0, "1969-12-31T23:59:59.000Z"),
        (None, None),
        (float("nan"), None),
        (1e300, None),
        (1e12, None),
    ],
)
def test_moments_are_rfc_3339_in_utc(seconds: float | None, text: str | None) -> None:
    """With milliseconds and a Z, whatever the machine's time zone."""
    assert utc_text(seconds) == text


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-31", "2026-01-31T10:00:00"])
def test_a_moment_without_a_zone_is_refused(text: str) -> None:
    """Guessing a zone would answer about the wrong hour."""
    with pytest.raises(ValueError, match=r"zone|Invalid"):
        posix_seconds(text)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ({"last": "60"}, TimeRange(last_s=60)),
        ({"last": "90s"}, TimeRange(last_s=90)),
        ({"last": "1.5h"}, TimeRange(last_s=5400)),
        ({"last": " 1d12h30m5s "}, TimeRange(last_s=131405)),
        ({"start": "12.5", "end": "20"}, TimeRange(from_s=12.5, to_s=20)),
        ({"at": 1}, TimeRange(from_s=-1.5, to_s=3.5)),
        ({"at": "1970-01-01T00:01:00Z"}, TimeRange(from_s=57.5, to_s=62.5, utc=True)),
        ({}, None),
    ],
)
def test_times_are_read_as_people_write_them(
    words: dict[str, Json], meant: TimeRange | None
) -> None:
    """Numbers, numbers as text (a command line has nothing else), units, moments."""
    assert time_range(**words) == meant


@pytest.mark.parametrize(
    "words",
    [
        {"last": "0"},
        {"last": "-5"},
        {"last": ""},
        {"last": "h"},
        {"last": "1.2.3h"},
        {"last": "5 minutes"},
        {"last": "nan"},
        {"last": True},
        {"last": 1e300},
        {"last": 10**400},
        {"last": []},
        {"start": "inf"},
        {"start": {}},
        {"at": "10:32"},
        {"start": 2, "end": 1},
        {"last": 1, "start": 1},
        {"at": 1, "end": 1},
        {"start": 1, "end": "1970-01-01T00:01:00Z"},
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(words: dict[str, Json]) -> None:
    """A ValueError that names the word and shows what can be read."""
    with pytest.raises(ValueError, match=r"must|one of|not end"):
        time_range(**words)
