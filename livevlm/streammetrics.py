"""What is counted of the streams, asked for whenever somebody reads the metrics.

A stream's state is one gauge a state, 1 for the one it is in. What came, and what became of it, adds up: frames_received =
frames_unsampled + frames_encoded + all of frames_dropped + frames_waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from livevlm.messages import StreamStatus
from streams.life import STATES


class StreamCollector(Collector):
    """The streams' own numbers, taken from one snapshot per scrape. clock: POSIX seconds."""

    def __init__(
        self, streams: Callable[[], Sequence[StreamStatus]], clock: Callable[[], float]
    ) -> None:
        self._streams, self._clock = streams, clock

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
        yield _silences(streams, self._clock())
        yield _dropped(streams)
        yield _states(streams)
        yield _tiers(streams)


def _silences(streams: Sequence[StreamStatus], now_utc: float) -> Metric:
    family = GaugeMetricFamily(
        "livevlm_stream_last_frame_age_seconds",
        "Time since the newest frame arrived.",
        labels=("stream",),
    )
    for status in streams:
        if status.last_frame_utc is not None:
            family.add_metric((status.name,), max(0.0, now_utc - status.last_frame_utc))
    return family


def _dropped(streams: Sequence[StreamStatus]) -> Metric:
    family = CounterMetricFamily(
        "livevlm_stream_frames_dropped",
        "Frames not looked at though they came, by reason.",
        labels=("stream", "reason"),
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
    ("frames_received", "Frames that came.", lambda status: status.frames_received),
    (
        "frames_unsampled",
        "Frames decoded while none was due.",
        lambda status: status.frames_unsampled,
    ),
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
    (
        "stream_frames_waiting",
        "Frames sampled and not yet remembered.",
        lambda status: status.frames_waiting,
    ),
    (
        "stream_state_timestamp_seconds",
        "When the stream came into its state, as POSIX time.",
        lambda status: status.since_utc,
    ),
    (
        "stream_drift_seconds",
        "Stream time ahead of arrival since the opening; below 0 behind.",
        lambda status: status.drift_s,
    ),
    (
        "stream_drift_seconds_per_hour",
        "Stream time that runs ahead of arrival in an hour.",
        lambda status: status.drift_s_per_hour,
    ),
    ("ingest_queue_frames", "Frames waiting for the model.", lambda status: status.queue_frames),
    ("memory_bytes", "Bytes that a stream's memory takes.", lambda status: status.memory_bytes),
    ("memory_span_seconds", "Stream time between the oldest and the newest memory.", _span),
)
