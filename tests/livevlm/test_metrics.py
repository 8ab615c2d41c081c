"""The metrics, read with Prometheus' own parser."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from livevlm.messages import StreamStatus, Timings
from livevlm.metrics import STATUSES, Metrics
from streams.life import STATES
from tests.livevlm.service.fake_service import stream_status

COUNTERS = {
    "livevlm_stream_frames_received_total",
    "livevlm_stream_frames_unsampled_total",
    "livevlm_stream_frames_encoded_total",
    "livevlm_stream_frames_dropped_total",
    "livevlm_stream_reconnects_total",
    "livevlm_requests_total",
    "livevlm_generated_tokens_total",
    "livevlm_ws_slow_consumer_closes_total",
    "livevlm_watch_evaluations_total",
    "livevlm_watch_skipped_total",
    "livevlm_watch_triggers_total",
    "livevlm_webhook_deliveries_total",
    "livevlm_webhook_failures_total",
}
GAUGES = {
    "livevlm_build_info",
    "livevlm_stream_up",
    "livevlm_stream_state",
    "livevlm_stream_last_frame_timestamp_seconds",
    "livevlm_stream_last_frame_age_seconds",
    "livevlm_stream_state_timestamp_seconds",
    "livevlm_stream_frames_waiting",
    "livevlm_stream_drift_seconds",
    "livevlm_stream_drift_seconds_per_hour",
    "livevlm_ingest_lag_seconds",
    "livevlm_ingest_queue_frames",
    "livevlm_memory_tokens",
    "livevlm_memory_bytes",
    "livevlm_memory_span_seconds",
    "livevlm_requests_in_progress",
    "livevlm_answers_in_batch",
    "livevlm_ws_connections",
    "livevlm_ws_kept_bytes",
}
HISTOGRAMS = {
    "livevlm_stage_duration_seconds",
    "livevlm_request_queue_duration_seconds",
    "livevlm_time_to_first_token_seconds",
    "livevlm_inter_token_latency_seconds",
    "livevlm_request_duration_seconds",
    "livevlm_watch_evaluation_duration_seconds",
}
LABELS = {"stream", "state", "reason", "stage", "status", "tier", "version", "model", "le"}


def used() -> Metrics:
    """Metrics to which everything has happened once."""
    metrics = Metrics(clock=lambda: 1_790_000_020.0)
    metrics.describe_build(version="0.1.0", model="bundled")
    metrics.observe_streams(
        lambda: [stream_status("front"), stream_status("back", state="stalled")]
    )
    metrics.frame_encoded("front", 4)
    metrics.stage("vision", 0.02)
    metrics.question_started()
    metrics.question_started()
    timings = Timings(queue_s=0.5, ttft_s=0.7, decode_s=0.9, total_s=2.0)
    metrics.answer_done("completed", timings, 10)
    metrics.answers_in_batch(5)
    metrics.client_connected()
    metrics.client_connected()
    metrics.client_gone()
    metrics.slow_client_closed()
    return metrics


def samples(metrics: Metrics) -> list[Sample]:
    """Everything that a scrape sees."""
    families = text_string_to_metric_families(metrics.render().decode())
    return [sample for family in families for sample in family.samples]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """One number of a scrape."""
    (one,) = [s.value for s in samples(metrics) if s.name == name and s.labels == labels]
    return one


def test_the_names_and_types_are_the_promised_ones() -> None:
    """Dashboards and alerts are written against these names."""
    families = list(text_string_to_metric_families(used().render().decode()))
    ours = [family for family in families if family.name.startswith("livevlm_")]
    kinds = {
        kind: {f.name for f in ours if f.type == kind} for kind in ("counter", "gauge", "histogram")
    }
    assert {f"{name}_total" for name in kinds["counter"]} == COUNTERS
    assert kinds["gauge"] == GAUGES
    assert kinds["histogram"] == HISTOGRAMS
    assert len(ours) == len(COUNTERS | GAUGES | HISTOGRAMS)
    assert "process_resident_memory_bytes" in {family.name for family in families}


def test_names_follow_the_rules_and_every_family_is_explained() -> None:
    """Base units, no upper case, a help text; labels never hold an address or a client."""
    for family in text_string_to_metric_families(used().render().decode()):
        assert re.fullmatch(r"[a-z_]+", family.name)
        assert family.documentation
        assert not family.name.endswith(("_ms", "_milliseconds", "_mb"))
        for sample in family.samples:
            if family.name.startswith("livevlm_"):
                assert set(sample.labels) <= LABELS
                assert not any("://" in text for text in sample.labels.values())


@pytest.mark.parametrize(
    ("name", "labels", "number"),
    [
        ("livevlm_build_info", {"version": "0.1.0", "model": "bundled"}, 1),
        ("livevlm_stream_up", {"stream": "front"}, 1),
        ("livevlm_stream_up", {"stream": "back"}, 0),
        ("livevlm_stream_state", {"stream": "back", "state": "stalled"}, 1),
        ("livevlm_stream_state", {"stream": "back", "state": "live"}, 0),
        ("livevlm_stream_frames_received_total", {"stream": "front"}, 1500),
        ("livevlm_stream_frames_unsampled_total", {"stream": "front"}, 100),
        ("livevlm_stream_frames_waiting", {"stream": "front"}, 3),
        ("livevlm_stream_state_timestamp_seconds", {"stream": "front"}, 1_789_999_912.5),
        ("livevlm_stream_drift_seconds", {"stream": "front"}, -0.25),
        ("livevlm_stream_drift_seconds_per_hour", {"stream": "front"}, -1.5),
        ("livevlm_stream_frames_encoded_total", {"stream": "front"}, 4),
        ("livevlm_stream_frames_dropped_total", {"stream": "front", "reason": "backpressure"}, 7),
        ("livevlm_stream_reconnects_total", {"stream": "front"}, 2),
        ("livevlm_stream_last_frame_timestamp_seconds", {"stream": "front"}, 1_790_000_013.0),
        ("livevlm_stream_last_frame_age_seconds", {"stream": "front"}, 7.0),
        ("livevlm_ingest_lag_seconds", {"stream": "front"}, 0.5),
        ("livevlm_ingest_queue_frames", {"stream": "front"}, 3),
        ("livevlm_memory_tokens", {"stream": "front", "tier": "long"}, 4096),
        ("livevlm_answers_in_batch", {}, 5),
        ("livevlm_memory_bytes", {"stream": "front"}, 1 << 20),
        ("livevlm_memory_span_seconds", {"stream": "front"}, 10),
        ("livevlm_stage_duration_seconds_count", {"stage": "vision"}, 1),
        ("livevlm_stage_duration_seconds_sum", {"stage": "vision"}, 0.02),
        ("livevlm_stage_duration_seconds_count", {"stage": "decode"}, 0),
        ("livevlm_requests_in_progress", {}, 1),
        ("livevlm_requests_total", {"status": "completed"}, 1),
        ("livevlm_requests_total", {"status": "failed"}, 0),
        ("livevlm_request_queue_duration_seconds_sum", {}, 0.5),
        ("livevlm_time_to_first_token_seconds_sum", {}, 0.7),
        ("livevlm_inter_token_latency_seconds_sum", {}, 0.1),
        ("livevlm_request_duration_seconds_sum", {}, 2),
        ("livevlm_generated_tokens_total", {}, 10),
        ("livevlm_ws_connections", {}, 1),
        ("livevlm_ws_slow_consumer_closes_total", {}, 1),
    ],
)
def test_what_happened_is_counted(name: str, labels: dict[str, str], number: float) -> None:
    """Each number says what its name says."""
    assert value(used(), name, **labels) == pytest.approx(number)


def test_a_stream_that_has_seen_nothing_has_no_times() -> None:
    """No gauge is better than a wrong one."""
    metrics = Metrics()
    empty = stream_status(
        "front", state="connecting", last_frame_utc=None, as_of=None, memory_from_s=None
    )
    metrics.observe_streams(lambda: [empty])
    named = {sample.name for sample in samples(metrics) if sample.labels.get("stream") == "front"}
    assert "livevlm_stream_up" in named
    assert not named & {
        "livevlm_stream_last_frame_timestamp_seconds",
        "livevlm_ingest_lag_seconds",
        "livevlm_memory_span_seconds",
    }


def test_the_streams_are_asked_at_every_scrape_and_only_then() -> None:
    """A stream that comes or goes is seen at once, one snapshot a scrape."""
    metrics, scrapes = Metrics(), 0
    streams: list[StreamStatus] = []

    def look() -> list[StreamStatus]:
        nonlocal scrapes
        scrapes += 1
        return streams

    metrics.observe_streams(look)
    assert scrapes == 0
    assert not [sample for sample in samples(metrics) if "stream" in sample.labels]
    streams.append(stream_status("new", state="of a kind not known yet"))
    assert (
        value(metrics, "livevlm_stream_state", stream="new", state="of a kind not known yet") == 1
    )
    assert value(metrics, "livevlm_stream_state", stream="new", state="live") == 0
    assert scrapes == 3


def test_strange_names_are_escaped() -> None:
    """Whatever a stream is called, the text can be parsed."""
    metrics = Metrics()
    name = 'a "quoted" \\ name\nin two lines, äöü'
    metrics.observe_streams(lambda: [stream_status(name)])
    metrics.frame_encoded(name)
    assert value(metrics, "livevlm_stream_up", stream=name) == 1


def test_nothing_is_measured_that_did_not_happen() -> None:
    """An answer without a token has no first one, one of a single token no gap."""
    metrics = Metrics()
    for tokens in (0, 1):
        metrics.question_started()
        metrics.answer_done("failed", Timings(total_s=1.0), tokens)
    assert value(metrics, "livevlm_time_to_first_token_seconds_count") == 1
    assert value(metrics, "livevlm_inter_token_latency_seconds_count") == 0
    assert value(metrics, "livevlm_requests_in_progress") == 0
    assert value(metrics, "livevlm_requests_total", status="failed") == 2


def test_two_daemons_in_a_process_do_not_share_numbers() -> None:
    """Each has a registry of its own; saying the build twice leaves one."""
    first, second = used(), Metrics()
    first.describe_build(version="0.1.0", model="another")
    assert value(second, "livevlm_ws_connections") == 0
    assert [s.labels["model"] for s in samples(first) if s.name == "livevlm_build_info"] == [
        "another"
    ]


def test_counting_from_many_threads_loses_nothing() -> None:
    """The engine and the server count at the same time."""
    metrics = Metrics()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(400):
            pool.submit(metrics.frame_encoded, "front", 2)
    assert value(metrics, "livevlm_stream_frames_encoded_total", stream="front") == 800


def test_states_and_statuses_are_all_there_from_the_start() -> None:
    """A rate over a counter that appears late misses its first step."""
    assert {
        s.labels["status"] for s in samples(used()) if s.name == "livevlm_requests_total"
    } == set(STATUSES)
    front = [
        s
        for s in samples(used())
        if s.name == "livevlm_stream_state" and s.labels["stream"] == "front"
    ]
    assert {s.labels["state"] for s in front} == set(STATES)
