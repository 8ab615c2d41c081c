"""What the daemon counts, in the Prometheus text format.

Names and units follow Prometheus' advice: one prefix, base units, `_total` for counters. Labels hold stream names, states,
tiers, stages and statuses; never a URL or a client. Counters and histograms are fed by the engine and the server, from any
thread; what is known of the streams is asked for when somebody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from livevlm.messages import Status, StreamStatus, Timings

STAGES = ("vision", "prefill", "compress", "retrieve", "decode")
STATUSES: tuple[Status, ...] = ("completed", "cancelled", "incomplete", "failed")
STATES = ("connecting", "live", "stalled", "reconnecting", "paused", "ended", "failed")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The daemon's numbers, in a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = _Registry()
        ProcessCollector(registry=self._registry)
        self._build = self._gauge(
            "build_info", "The daemon's version and model; always 1.", "version", "model"
        )
        self._encoded = self._counter(
            "stream_frames_encoded", "Frames that went into a memory.", "stream"
        )
        self._stages = self._histogram("stage_duration_seconds", "Time spent in a stage.", "stage")
        self._in_progress = self._gauge(
            "requests_in_progress", "Questions accepted and not yet answered."
        )
        self._requests = self._counter("requests", "Questions answered, by how it ended.", "status")
        self._queued = self._histogram(
            "request_queue_duration_seconds", "Time a question waited for its turn."
        )
        self._first = self._histogram(
            "time_to_first_token_seconds", "Time from a question to its first token."
        )
        self._between = self._histogram(
            "inter_token_latency_seconds", "Mean time between an answer's tokens."
        )
        self._whole = self._histogram(
            "request_duration_seconds", "Time from a question to its answer's end."
        )
        self._tokens = self._counter("generated_tokens", "Tokens of answers.")
        self._connections = self._gauge("ws_connections", "Open websocket sessions.")
        self._slow = self._counter(
            "ws_slow_consumer_closes", "Sessions closed because they read too slowly."
        )
        for stage in STAGES:
            self._stages.labels(stage)
        for status in STATUSES:
            self._requests.labels(status)

    def describe_build(self, *, version: str, model: str) -> None:
        """Say once which version and which model this is."""
        self._build.clear()
        self._build.labels(version, model).set(1)

    def observe_streams(self, streams: Callable[[], Sequence[StreamStatus]]) -> None:
        """Read the streams' gauges from `streams`, from now on at every scrape. To be called once."""
        self._registry.register(_StreamCollector(streams))

    def frame_encoded(self, stream: str, n: int = 1) -> None:
        """`n` frames of `stream` went into its memory."""
        self._encoded.labels(stream).inc(n)

    def forget_stream(self, stream: str) -> None:
        """`stream` is watched no longer: what is counted of it here ends."""
        self._encoded.remove(stream)

    def stage(self, name: str, seconds: float) -> None:
        """A stage of the work took `seconds`."""
        self._stages.labels(name).observe(seconds)

    def question_started(self) -> None:
        """A question was accepted."""
        self._in_progress.inc()

    def answer_done(self, status: Status, timings: Timings, tokens: int) -> None:
        """The answer to an accepted question ended, with `tokens` tokens."""
        self._in_progress.dec()
        self._requests.labels(status).inc()
        self._queued.observe(timings.queue_s)
        self._whole.observe(timings.total_s)
        self._tokens.inc(tokens)
        if tokens > 0:
            self._first.observe(timings.ttft_s)
        if tokens > 1:
            self._between.observe(timings.decode_s / (tokens - 1))

    def client_connected(self) -> None:
        """A websocket session opened."""
        self._connections.inc()

    def client_gone(self) -> None:
        """A websocket session ended."""
        self._connections.dec()

    def slow_client_closed(self) -> None:
        """A websocket session is being closed because it did not read what it was sent."""
        self._slow.inc()

    def render(self) -> bytes:
        """Everything, in the text format that `content_type` names."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"livevlm_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"livevlm_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"livevlm_{name}", text, labels, registry=self._registry, buckets=SECONDS)


class _Registry(CollectorRegistry):
    """A registry that leaves out when each counter was made: nobody asks for it, and it doubles what is scraped."""

    def collect(self) -> Iterator[Metric]:
        """The families, without their `_created` samples."""
        for metric in super().collect():
            metric.samples = [one for one in metric.samples if not one.name.endswith("_created")]
            yield metric


class _StreamCollector(Collector):
    """The streams' own numbers, taken from one snapshot per scrape."""

    def __init__(self, streams: Callable[[], Sequence[StreamStatus]]) -> None:
        self._streams = streams

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the streams."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family after the other, as the text format wants it."""
        streams = list(self._streams())
        for name, text, value in COUNTERS:
            counter = CounterMetricFamily(f"livevlm_stream_{name}", text, labels=("stream",))
            for status in streams:
                counter.add_metric((status.name,), value(status))
            yield counter
        for name, text, reading in GAUGES:
            gauge = GaugeMetricFamily(f"livevlm_{name}", text, labels=("stream",))
            for status in streams:
                number = reading(status)
                if number is not None:
                    gauge.add_metric((status.name,), number)
            yield gauge
        yield _dropped(streams)
        yield _states(streams)
        yield _tiers(streams)


def _dropped(streams: Sequence[StreamStatus]) -> Metric:
    family = CounterMetricFamily(
        "livevlm_stream_frames_dropped", "Frames left out, by reason.", labels=("stream", "reason")
    )
    for status in streams:
        for reason, count in status.frames_dropped.items():
            family.add_metric((status.name, reason), count)
    return family


def _states(streams: Sequence[StreamStatus]) -> Metric:
    family = GaugeMetricFamily(
        "livevlm_stream_state", "1 for the state a stream is in.", labels=("stream", "state")
    )
    for status in streams:
        for state in dict.fromkeys((*STATES, status.state)):
            family.add_metric((status.name, state), float(state == status.state))
    return family


def _tiers(streams: Sequence[StreamStatus]) -> Metric:
    family = GaugeMetricFamily(
        "livevlm_memory_tokens", "Tokens remembered, by tier.", labels=("stream", "tier")
    )
    for status in streams:
        for tier, tokens in status.memory_tokens.items():
            family.add_metric((status.name, tier), tokens)
    return family


def _lag(status: StreamStatus) -> float | None:
    if status.last_frame_utc is None or status.as_of is None:
        return None
    return max(0.0, status.last_frame_utc - status.as_of.utc)


def _span(status: StreamStatus) -> float | None:
    if status.memory_from_s is None or status.as_of is None:
        return None
    return max(0.0, status.as_of.stream_s - status.memory_from_s)


Reading = Callable[[StreamStatus], float | None]

COUNTERS: tuple[tuple[str, str, Callable[[StreamStatus], float]], ...] = (
    ("frames_received", "Frames decoded.", lambda status: status.frames_received),
    ("reconnects", "Times a lost source was opened again.", lambda status: status.reconnects),
)
GAUGES: tuple[tuple[str, str, Reading], ...] = (
    ("stream_up", "1 while frames arrive.", lambda status: float(status.state == "live")),
    (
        "stream_last_frame_timestamp_seconds",
        "When the newest frame arrived, as POSIX time.",
        lambda status: status.last_frame_utc,
    ),
    ("ingest_lag_seconds", "From the newest frame remembered to the newest that arrived.", _lag),
    ("ingest_queue_frames", "Frames waiting for the model.", lambda status: status.queue_frames),
    ("memory_bytes", "Bytes that a stream's memory takes.", lambda status: status.memory_bytes),
    ("memory_span_seconds", "Stream time between the oldest and the newest memory.", _span),
)
