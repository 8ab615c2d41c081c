"""What the daemon counts, in the Prometheus text format.

Names and units follow Prometheus' advice: one prefix, base units, `_total` for counters. Labels hold stream names, states,
tiers, stages and statuses; never a URL or a client. Counters and histograms are fed by the engine and the server, from any
thread; what is known of the streams is asked for when somebody reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import Metric

from livevlm.messages import Status, StreamStatus, Timings
from livevlm.streammetrics import StreamCollector

STAGES = ("vision", "prefill", "compress", "retrieve", "decode")
STATUSES: tuple[Status, ...] = ("completed", "cancelled", "incomplete", "failed")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The daemon's numbers, in a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """clock: POSIX seconds."""
        self._clock = clock
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
        self._decoding = self._gauge("answers_in_batch", "Answers decoded together, each step.")
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
        self._count_clients()
        self._watched = self._histogram(
            "watch_evaluation_duration_seconds", "Time that an evaluation of a watch took."
        )
        self._watches = {
            name: self._counter(name, text)
            for name, text in (
                ("watch_evaluations", "Times a watch's condition was looked at."),
                ("watch_skipped", "Times it was not, because the stream looked as before."),
                ("watch_triggers", "Times a watch was triggered."),
                ("webhook_deliveries", "Webhook posts that were taken."),
                ("webhook_failures", "Webhook posts that were given up."),
            )
        }
        for labelled, values in ((self._stages, STAGES), (self._requests, STATUSES)):
            for value in values:
                labelled.labels(value)

    def _count_clients(self) -> None:
        self._connections = self._gauge("ws_connections", "Open websocket sessions.")
        self._kept = self._gauge(
            "ws_kept_bytes", "Bytes kept for clients: unsent, or sent and perhaps to be sent again."
        )
        self._slow = self._counter(
            "ws_slow_consumer_closes", "Sessions closed because they read too slowly."
        )

    def describe_build(self, *, version: str, model: str) -> None:
        """Say once which version and which model this is."""
        self._build.clear()
        self._build.labels(version, model).set(1)

    def observe_streams(self, streams: Callable[[], Sequence[StreamStatus]]) -> None:
        """Read the streams' gauges from `streams`, from now on at every scrape. To be called once."""
        self._registry.register(StreamCollector(streams, self._clock))

    def observe_clients(self, kept_bytes: Callable[[], int]) -> None:
        """Read what is kept for clients from `kept_bytes`, from now on at every scrape."""
        self._kept.set_function(kept_bytes)

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

    def answers_in_batch(self, count: int) -> None:
        """So many answers go on to their next token together."""
        self._decoding.set(count)

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

    def watch_evaluated(self, seconds: float) -> None:
        """A watch's condition was looked at, which took `seconds`."""
        self._watches["watch_evaluations"].inc()
        self._watched.observe(seconds)

    def watch_skipped(self) -> None:
        """A watch's condition was not looked at: its stream looks as it did."""
        self._watches["watch_skipped"].inc()

    def watch_triggered(self) -> None:
        """A watch was triggered."""
        self._watches["watch_triggers"].inc()

    def webhook_done(self, delivered: bool) -> None:
        """A webhook post was taken, or given up."""
        self._watches["webhook_deliveries" if delivered else "webhook_failures"].inc()

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
