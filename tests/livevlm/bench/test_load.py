"""The load benchmark counts right, its clients behave as they are meant to, and a small run of it goes through."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from livevlm.bench.load import well
from livevlm.bench.loadclients import manner, wish
from livevlm.bench.loadtally import Event, Line, Tally, figures
from livevlm.bench.loadwatch import Watch, slow_closes

FINE: dict[str, Any] = {
    "lost": 0,
    "ended_twice": 0,
    "ping_timeouts": 0,
    "closed_unasked": {},
    "strange": {},
    "slow_client": {"4413": 1},
    "exit_code": 0,
}


def created(seq: int, event_id: str, response_id: str) -> Event:
    """An accepted question."""
    response = {"id": response_id, "livevlm": {"client_event_id": event_id}}
    return {"type": "response.created", "seq": seq, "response": response}


def delta(seq: int, response_id: str) -> Event:
    """A piece of an answer."""
    return {"type": "response.output_text.delta", "seq": seq, "response_id": response_id}


def done(seq: int, event_id: str, status: str = "completed") -> Event:
    """An answer's end."""
    extras = {"client_event_id": event_id, "timings": {"queue_ms": 500.0}}
    usage = {"output_tokens": 7}
    response = {"status": status, "status_details": {}, "usage": usage, "livevlm": extras}
    return {"type": "response.done", "seq": seq, "response": response}


def refused(seq: int, event_id: str | None, code: str) -> Event:
    """An error."""
    return {"type": "error", "seq": seq, "error": {"code": code, "event_id": event_id}}


def test_an_answer_is_timed_and_counted_once() -> None:
    """The first delta is the first token, the end ends it, tokens add up; a refusal is an end too."""
    tally = Tally()
    line = Line(tally)
    line.ask("q1", 10.0)
    line.ask("q2", 11.0)
    assert not line.hear(created(1, "q1", "r1"), 10.1)
    assert line.hear(delta(2, "r1"), 10.5)
    assert not line.hear(delta(3, "r1"), 10.9)
    assert line.hear(refused(4, "q2", "queue_full"), 11.2)
    assert line.hear(done(5, "q1"), 12.0)
    found = figures(tally, 2.0)
    assert (found["questions"], found["ended_once"], found["lost"]) == (2, 2, 0)
    assert found["outcomes"] == {"completed": 1, "queue_full": 1}
    assert found["first_token_p95_ms"] == pytest.approx(500)
    assert found["whole_max_s"] == pytest.approx(2)
    assert found["queue_p50_s"] == 0.5
    assert found["tokens_per_s"] == 3.5
    assert found["strange"] == {}


def test_what_must_not_be_is_seen() -> None:
    """A question without an end, one with two, events out of order or of nobody's question: each is told of."""
    tally = Tally()
    line = Line(tally)
    for number in range(3):
        line.ask(f"q{number}", 0.0)
    line.hear(created(1, "q0", "r0"), 0.1)
    line.hear(done(2, "q0"), 0.2)
    line.hear(done(3, "q0"), 0.3)
    line.hear(done(5, "q1"), 0.4)
    line.hear(created(6, "not mine", "r9"), 0.5)
    line.hear(refused(7, "cancel", "response_not_found"), 0.6)
    line.hear(refused(8, "cancel", "server_error"), 0.7)
    found = figures(tally, 1.0)
    assert (found["lost"], found["ended_twice"]) == (1, 1)
    assert found["strange"] == {
        "seq": 1,
        "response.created of nobody's question": 1,
        "error server_error": 1,
    }


def test_who_leaves_is_owed_nothing() -> None:
    """A question whose client went away is not lost; one that had ended before is counted as ever."""
    tally = Tally()
    line = Line(tally)
    line.ask("q1", 0.0)
    line.ask("q2", 0.0)
    line.hear(done(1, "q1", "cancelled"), 1.0)
    line.leave()
    assert line.open == []
    found = figures(tally, 1.0)
    assert (found["ended_once"], found["left_by_client"], found["lost"]) == (1, 1, 0)
    assert found["first_token_p50_ms"] is None


def test_manners_are_given_out() -> None:
    """Of two hundred clients one is deaf, some misbehave in each way, most are patient; one alone is not deaf."""
    manners = Counter(manner(number, 200) for number in range(200))
    assert manners == {
        "patient": 160, "many": 10, "cancels": 10, "leaves": 10, "vanishes": 9, "deaf": 1,
    }  # fmt: skip
    assert manner(0, 1) == "patient"


def test_wishes_differ_and_can_be_had_again() -> None:
    """Several streams, times and lengths; the same seed asks the same."""
    rng = random.Random(3)
    asked = [wish(rng, ["a", "b"], f"q{number}")["response"] for number in range(60)]
    assert {one["livevlm"]["streams"][0] for one in asked} == {"a", "b"}
    assert {"time" in one["livevlm"] for one in asked} == {True, False}
    assert len({one["max_output_tokens"] for one in asked}) > 2
    assert wish(random.Random(3), ["a", "b"], "q0")["response"] == asked[0]


def status(encoded: int, dropped: int = 0) -> list[dict[str, Any]]:
    """What a daemon knows of its only stream."""
    drops = {"backpressure": dropped, "skipped": 3}
    return [{"name": "a", "frames_encoded": encoded, "frames_dropped": drops, "frames_waiting": 1}]


def test_a_gap_in_ingest_is_found() -> None:
    """The longest time without a new frame, from when it was looked to when it was looked again; drops since the beginning."""
    watch = Watch()
    for now_s, encoded in ((0.0, 5), (1.0, 6), (2.0, 6), (3.0, 6), (4.0, 7), (5.0, 8)):
        watch.note(now_s, status(encoded, dropped=2 if now_s > 2 else 0))
    (row,) = watch.rows(fps=1.0)
    assert (row["encoded"], row["due"], row["longest_gap_s"]) == (3, 5, 3.0)
    assert (row["dropped"], row["dropped_backpressure"]) == (2, 2)


def test_a_stream_that_stops_for_good_is_a_gap_too() -> None:
    """Nothing more comes, and the time goes on: that is the longest gap."""
    watch = Watch()
    for now_s in (0.0, 1.0, 30.0):
        watch.note(now_s, status(5))
    assert watch.rows(fps=1.0)[0]["longest_gap_s"] == 30.0


def test_the_metrics_are_read() -> None:
    """The counter of slow clients, by its whole name."""
    text = "# HELP x\nlivevlm_ws_slow_consumer_closes_total 2.0\nlivevlm_ws_connections 9.0\n"
    assert (slow_closes(text), slow_closes("")) == (2, 0)


def test_the_heaviest_moment_is_told() -> None:
    """Its parts belong together: they are not the largest of each."""
    watch = Watch()
    for whole, clients in ((500.0, 9.0), (600.0, 3.0), (550.0, 4.0)):
        watch.weigh({"resident": whole, "clients": clients})
    assert watch.heaviest == {"resident": 600.0, "clients": 3.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": 1},
        {"ended_twice": 1},
        {"ping_timeouts": 1},
        {"closed_unasked": {"1006": 1}},
        {"strange": {"seq": 1}},
        {"slow_client": {"1000": 1}},
        {"exit_code": 1},
    ],
)
def test_the_verdict_fails_for_each_fault(wrong: dict[str, Any]) -> None:
    """Exit code 1 for anything that was promised and not kept."""
    assert well(FINE)
    assert not well(FINE | wrong)


@pytest.mark.parametrize("words", [(), ("--stop",)], ids=["run", "stop"])
def test_a_small_load_is_carried(words: tuple[str, ...]) -> None:
    """A real daemon and a few clients of every manner: all is well, and the figures are there."""
    command = [sys.executable, "-m", "livevlm", "bench", "load", "--model", "toy", "--json", *words]
    few = (
        "--clients",
        "21",
        "--streams",
        "2",
        "--seconds",
        "2",
        "--think",
        "0.2",
        "--threads",
        "1",
    )
    done = subprocess.run([*command, *few], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["questions"] > 20
    assert found["lost"] == 0
    assert [row["stream"] for row in found["rows"]] == ["cam0", "cam1"]
    for moment in ("before", "most"):
        parts = dict(found[f"memory_{moment}_mib"])
        assert parts.pop("resident") == pytest.approx(sum(parts.values()))
        assert min(parts["files"], parts["streams"], parts["rest"]) > 0
    assert found["memory_most_mib"]["clients"] > 0
    assert found["stopped_after_s"] > 0 if words else found["slow_closes"] == 1
