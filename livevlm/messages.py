"""What travels between an asker and the engine: a question in, answer events out; an errand in, its result out.

For every question that the engine accepts, its sink receives, in this order: any number of `Queued`, at most one `Recalled`,
any number of `AnswerChunk`s, and exactly one `Answer`. An errand is what else is asked of memories; for each that is
accepted `Done` is called exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from livevlm.errors import LiveVLMError

Status = Literal["completed", "cancelled", "incomplete", "failed"]
Tier = Literal["short", "long", "archive"]
TIER_NAMES: Mapping[Tier, str] = {
    "short": "short-term",
    "long": "long-term",
    "archive": "archive",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """The part of a stream that a question is about; an open end is None.

    `last_s` counts back from the newest frame and excludes the other two. With `utc`, `from_s` and `to_s` are POSIX
    seconds (UTC, as of arrival); without, they are seconds of stream time.
    """

    from_s: float | None = None
    to_s: float | None = None
    last_s: float | None = None
    utc: bool = False

    def __post_init__(self) -> None:
        if self.last_s is not None and (self.from_s is not None or self.to_s is not None):
            raise ValueError("a time range has either `last` or `from`/`to`, not both")
        if self.last_s is not None and self.last_s <= 0:
            raise ValueError("`last` must be above 0 seconds")
        if self.from_s is not None and self.to_s is not None and self.to_s < self.from_s:
            raise ValueError("a time range must not end before it begins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An earlier question and what was answered; empty where nothing was."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question about one stream. `temperature` 0 decodes greedily; `seed` makes sampling repeatable.

    asker: who asks; questions of different askers take turns. earlier: what was asked and answered before, oldest first, to be
    read before the question as far as the model can read so much; memory is searched by `text` alone.
    """

    id: str
    stream: str
    text: str
    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    time: TimeRange | None = None
    max_evidence: int = 8
    deadline_s: float | None = None
    asker: str = ""
    earlier: tuple[Exchange, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a question must not be empty")
        if self.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")
        if self.temperature < 0:
            raise ValueError("temperature must not be negative")
        if not 0 < self.top_p <= 1:
            raise ValueError("top_p must be above 0 and at most 1")
        if self.deadline_s is not None and self.deadline_s <= 0:
            raise ValueError("a deadline must be above 0 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The newest frame that an answer saw: its stream time in seconds and its UTC arrival in POSIX seconds."""

    stream_s: float
    utc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A span of the stream that an answer was given from: seconds of stream time, POSIX seconds UTC, retrieval score.

    score: the span's share of the question's attention on all that was recalled of the video. picture: the number of the frame
    in it that got the most, where its picture is kept.
    """

    stream: str
    from_s: float
    to_s: float
    from_utc: float
    to_utc: float
    score: float
    tier: Tier
    picture: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds spent on an answer. `ttft_s` runs from the question's arrival to its first token, queue and flush included."""

    queue_s: float = 0.0
    flush_s: float = 0.0
    retrieve_s: float = 0.0
    ttft_s: float = 0.0
    decode_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an answer failed or stopped early; `code` is from the protocol's list."""

    code: str
    message: str
    kind: str = "server_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """The question waits: `position` 1 is the next to begin. Sent when it was not begun at once, and when the position has
    changed by a sixteenth or more, which may also be backwards: askers and streams take turns.
    """

    question_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """Sent before the first token: what the answer will be given from."""

    question_id: str
    as_of: AsOf
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChunk:
    """A piece of the answer's text: whole characters only."""

    question_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of an answer, sent exactly once per accepted question."""

    question_id: str
    stream: str
    text: str
    status: Status
    as_of: AsOf | None
    evidence: tuple[Evidence, ...] = ()
    timings: Timings = Timings()
    question_tokens: int = 0
    context_tokens: int = 0
    answer_tokens: int = 0
    failure: Failure | None = None


AnswerEvent = Queued | Recalled | AnswerChunk | Answer
Sink = Callable[[AnswerEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """What the daemon knows of one stream at one moment. `source` holds no credentials.

    state: see streams/life.py; since_utc: when it was entered, POSIX seconds. next_try_s: seconds until a lost source is opened
    again, None where that is not waited for. Every picture that came is accounted for: frames_received = frames_unsampled +
    frames_encoded + all of frames_dropped + frames_waiting, of which queue_frames are in the queue to the model. drift_s:
    seconds that stream time has run ahead of arrival since the opening, below 0 behind; drift_s_per_hour: the same for an
    hour.
    """

    name: str
    source: str
    live: bool
    state: str
    error_code: str | None
    error: str | None
    frames_received: int
    frames_encoded: int
    frames_dropped: dict[str, int]
    reconnects: int
    queue_frames: int
    last_frame_utc: float | None
    as_of: AsOf | None
    memory_tokens: dict[str, int]
    memory_bytes: int
    memory_from_s: float | None
    since_utc: float | None = None
    next_try_s: float | None = None
    frames_unsampled: int = 0
    frames_waiting: int = 0
    drift_s: float | None = None
    drift_s_per_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How large is a stream's memory, and how far back does it reach? Without a stream: each one's."""

    stream: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where was something seen, in at most `limit` frames? Nothing is answered."""

    stream: str
    text: str
    time: TimeRange | None = None
    limit: int = 8

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("what is searched for must not be empty")
        if self.limit < 1:
            raise ValueError("at least 1 frame must be looked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Erase what a stream showed in a time, wherever it is kept; `time` None is all of it."""

    stream: str
    time: TimeRange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The picture of a frame: by its number, or the one nearest to the middle of a time, inside of it; without either the
    newest that was seen.
    """

    stream: str
    frame: int | None = None
    time: TimeRange | None = None


Errand = Measure | Search | Forget | Look


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSpan:
    """Where along stream time a tier of memory lies. tokens: how many it holds of each of so many equally long stretches
    between from_s and to_s (the mean over layers), where that is known.
    """

    from_s: float
    to_s: float
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySize:
    """One stream's memory. tokens: by tier. evicted_tokens: those that left the device. from_s, to_s: what of the stream is
    remembered, None while that is nothing. spans: where each tier that is not empty lies. error: why it is not written to disk
    now, where it should be.
    """

    stream: str
    as_of: AsOf | None
    tokens: dict[str, int]
    device_bytes: int
    host_bytes: int
    disk_bytes: int
    evicted_tokens: int
    pictures: int
    from_s: float | None
    to_s: float | None
    spans: Mapping[Tier, TierSpan] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The memories that were asked about."""

    memories: tuple[MemorySize, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where something was seen, best first."""

    stream: str
    as_of: AsOf
    spans: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was erased: tokens on the device, tokens in the archive, and at least how many frames they were of."""

    stream: str
    device_tokens: int
    archive_tokens: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A frame's JPEG; None where it is not kept."""

    jpeg: bytes | None


Result = Measured | Found | Forgotten | Picture
Done = Callable[[Result | LiveVLMError], None]
