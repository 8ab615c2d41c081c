"""FakeService: a small real service with a thread of its own, that answers what its questions tell it to.

The text of a question says what happens: "hold" waits until `release` or a cancellation, "many N" answers in N chunks, "fail"
fails, "full" is refused, "everything" waits before it says a word; anything else is answered "You asked: ...". Of errands a
search does as its text says; of pictures there is that of frame 4 alone.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from livevlm.changes import AddStream, Change, Changed, PauseStream, RemoveStream, Told
from livevlm.errors import (
    LiveVLMError,
    NoFramesYet,
    NotErased,
    QueueFull,
    StreamExists,
    StreamNotFound,
    TooManyStreams,
)
from livevlm.messages import (
    Answer,
    AnswerChunk,
    AsOf,
    Done,
    Errand,
    Evidence,
    Failure,
    Forget,
    Forgotten,
    Found,
    Look,
    Measure,
    Measured,
    MemorySize,
    Picture,
    Question,
    Recalled,
    Result,
    Search,
    Sink,
    Status,
    StreamStatus,
    TierSpan,
    Timings,
)
from livevlm.watching.orders import (
    Listed,
    ListWatches,
    MakeWatch,
    WatchDone,
    WatchOrder,
    WatchResult,
)
from livevlm.watching.watch import Change as WatchChange
from livevlm.watching.watch import WatchEvent, WatchStatus
from livevlm.watching.watches import Clocks, Listener, Watches, WatchOptions
from streams import redact

MOST_STREAMS = 1000
JPEG = b"\xff\xd8 the picture of frame 4 \x00\xff\xd9"
AS_OF = AsOf(stream_s=12.5, utc=1_790_000_012.5)


def stream_status(name: str, **changes: object) -> StreamStatus:
    """A stream that is doing well."""
    fields: dict[str, object] = {
        "name": name,
        "source": f"test:{name}",
        "live": True,
        "state": "live",
        "error_code": None,
        "error": None,
        "frames_received": 1500,
        "frames_encoded": 90,
        "frames_dropped": {"backpressure": 7, "skipped": 1300},
        "reconnects": 2,
        "queue_frames": 3,
        "last_frame_utc": AS_OF.utc + 0.5,
        "as_of": AS_OF,
        "memory_tokens": {"short": 128, "long": 4096},
        "memory_bytes": 1 << 20,
        "memory_from_s": 2.5,
        "since_utc": AS_OF.utc - 100,
        "frames_unsampled": 100,
        "frames_waiting": 3,
        "drift_s": -0.25,
        "drift_s_per_hour": -1.5,
    }
    return StreamStatus(**{**fields, **changes})  # type: ignore[arg-type]


def evidence(stream: str) -> Evidence:
    """One span that an answer was given from."""
    return Evidence(
        stream=stream,
        from_s=3.0,
        to_s=5.0,
        from_utc=1_790_000_003.0,
        to_utc=1_790_000_005.0,
        score=0.75,
        tier="long",
        picture=4,
    )


def memory_size(name: str) -> MemorySize:
    """The memory of one stream."""
    return MemorySize(
        stream=name,
        as_of=AS_OF,
        tokens={"prompt": 24, "short": 128, "long": 4096, "archive": 16_384},
        device_bytes=1 << 20,
        host_bytes=2 << 20,
        disk_bytes=3 << 20,
        evicted_tokens=12_160,
        pictures=1024,
        from_s=2.5,
        to_s=12.5,
        spans={
            "short": TierSpan(from_s=11.5, to_s=12.5),
            "long": TierSpan(from_s=2.5, to_s=10.5, tokens=(1024, 1024, 2048)),
            "archive": TierSpan(from_s=2.5, to_s=12.5),
        },
    )


def carried_out(errand: Errand, names: Sequence[str]) -> Result | LiveVLMError:
    """What comes of an errand, done as an engine would."""
    match errand:
        case Measure():
            asked = names if errand.stream is None else (errand.stream,)
            return Measured(memories=tuple(memory_size(name) for name in asked))
        case Search(text="nothing yet"):
            return NoFramesYet("nothing seen")
        case Search():
            spans = (evidence(errand.stream),)[: errand.limit]
            return Found(stream=errand.stream, as_of=AS_OF, spans=spans)
        case Forget() if errand.time is not None and errand.time.from_s == 13:
            return NotErased("what was forgotten may still lie on disk")
        case Forget():
            return Forgotten(stream=errand.stream, device_tokens=320, archive_tokens=960, frames=60)
        case Look():
            return Picture(jpeg=JPEG if errand.frame in (4, None) else None)


def made(change: Change, statuses: list[StreamStatus]) -> Changed | LiveVLMError:
    """What comes of a change, made as a daemon would; `statuses` are changed."""
    names = [status.name for status in statuses]
    if isinstance(change, AddStream):
        if change.name in names:
            return StreamExists(f"a stream is called {change.name!r} already")
        if len(names) == MOST_STREAMS:
            return TooManyStreams(f"{MOST_STREAMS} streams are watched")
        source = redact(change.settings.url)
        statuses.append(stream_status(change.name, source=source, state="connecting"))
        return Changed(what="added", name=change.name, status=statuses[-1])
    if change.name not in names:
        return StreamNotFound(f"no stream is called {change.name!r}; there are: {', '.join(names)}")
    place = names.index(change.name)
    if isinstance(change, RemoveStream):
        del statuses[place]
        return Changed(what="removed", name=change.name, status=None)
    state = "paused" if isinstance(change, PauseStream) else "live"
    statuses[place] = replace(statuses[place], state=state)
    return Changed(what="updated", name=change.name, status=statuses[place])


class Uncounted:
    """Counts nothing."""

    def watch_evaluated(self, seconds: float) -> None: ...
    def watch_skipped(self) -> None: ...
    def watch_triggered(self) -> None: ...


class FakeWatches:
    """Real watches, at most three, on clocks that stand still. They look at nothing: what they tell the test says."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.orders: list[WatchOrder] = []
        self.listeners: list[Listener] = []
        self.script: tuple[WatchChange, ...] = ()
        self._watches = Watches(
            lambda: lambda memory, question: 0.0,
            WatchOptions(most=3),
            counts=Uncounted(),
            new_id=lambda: f"watch_{next(numbers)}",
            clocks=Clocks(utc=lambda: AS_OF.utc),
        )

    def carry_out(self, order: WatchOrder) -> WatchResult | LiveVLMError:
        """What comes of an order."""
        self.orders.append(order)
        try:
            return self._watches.carry_out(order)
        except LiveVLMError as error:
            return error

    def statuses(self) -> tuple[WatchStatus, ...]:
        """All of them."""
        listed = self._watches.carry_out(ListWatches())
        assert isinstance(listed, Listed)
        return listed.statuses

    def event(self, change: WatchChange, number: int = 0) -> WatchEvent:
        """What a watch would tell, the oldest one by default."""
        watch = self.statuses()[number].watch
        if change == "expired":
            return WatchEvent(change=change, watch=watch)
        seen = replace(evidence(watch.stream), from_s=12.5, to_s=12.5, tier="short")
        return WatchEvent(change=change, watch=watch, at=AS_OF, probability=0.875, evidence=seen)

    def tell(self, change: WatchChange, number: int = 0) -> None:
        """Have a watch tell it."""
        event = self.event(change, number)
        for listener in self.listeners:
            listener(event)

    def go_on(self, order: WatchOrder) -> None:
        """After an order: what was just made tells what `script` says."""
        if isinstance(order, MakeWatch):
            for change in self.script:
                self.tell(change, -1)


class FakeService:
    """Use it in a `with`; `streams` may be replaced while it runs."""

    def __init__(self, *names: str) -> None:
        self.statuses = [stream_status(name) for name in names or ("front",)]
        self.is_ready = True
        self.looked = 0
        self.questions: list[Question] = []
        self.errands: list[Errand] = []
        self.made: list[Change] = []
        self.cancelled: list[str] = []
        self.changed = threading.Condition()
        self.watches = FakeWatches()
        self._released = False
        self._work: queue.Queue[
            tuple[Question, Sink]
            | tuple[Errand, Done]
            | tuple[Change, Told]
            | tuple[WatchOrder, WatchDone]
            | None
        ] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="fake-service")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
        self._work.put(None)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def submit(self, question: Question, sink: Sink) -> None:
        """Take a question, unless it says "full"."""
        if question.text == "full":
            raise QueueFull("64 questions wait already; ask again later")
        with self.changed:
            self.questions.append(question)
            self.changed.notify_all()
        self._work.put((question, sink))

    def cancel(self, question_id: str) -> bool:
        """Stop an answer that is held."""
        with self.changed:
            self.cancelled.append(question_id)
            self.changed.notify_all()
        return True

    def errand(self, errand: Errand, done: Done) -> None:
        """Take an errand, unless it is to find "full"."""
        if isinstance(errand, Search) and errand.text == "full":
            raise QueueFull("64 errands wait already; ask again later")
        if errand.stream is not None and errand.stream not in self._names():
            raise StreamNotFound(f"no stream is called {errand.stream!r}")
        self.errands.append(errand)
        self._work.put((errand, done))

    def change(self, change: Change, told: Told) -> None:
        """Make a change on the service's thread."""
        self.made.append(change)
        self._work.put((change, told))

    def watch(self, order: WatchOrder, done: WatchDone) -> None:
        """Carry out an order on the service's thread."""
        self._work.put((order, done))

    def listen(self, listener: Listener) -> None:
        """Have it hear what `watches.tell` tells."""
        self.watches.listeners.append(listener)

    def _names(self) -> list[str]:
        return [status.name for status in self.statuses]

    def streams(self) -> list[StreamStatus]:
        """The streams as they were made."""
        self.looked += 1
        return list(self.statuses)

    def ready(self) -> bool:
        """Whether a model is there."""
        return self.is_ready

    def info(self) -> dict[str, str]:
        """Version and model."""
        return {"version": "0.0.test", "model": "fake"}

    def release(self) -> None:
        """Let held answers go on."""
        with self.changed:
            self._released = True
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something has happened to this service."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout=10), "it never happened"

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            asked, tell = work
            if isinstance(asked, Question):
                answer(asked, tell, held=self._held)  # type: ignore[arg-type]
            elif isinstance(asked, Change):
                tell(made(asked, self.statuses))  # type: ignore[arg-type]
            elif isinstance(asked, WatchOrder):
                tell(self.watches.carry_out(asked))  # type: ignore[arg-type]
                self.watches.go_on(asked)
            else:
                if isinstance(asked, Search) and asked.text == "hold":
                    self._held("")
                tell(carried_out(asked, self._names()))  # type: ignore[arg-type]

    def _held(self, question_id: str) -> bool:
        """Wait to be released; False when the answer was cancelled first."""
        with self.changed:
            self.changed.wait_for(
                lambda: self._released or question_id in self.cancelled, timeout=60
            )
            return question_id not in self.cancelled


def chunks_of(text: str) -> list[str]:
    """The pieces in which a question is answered."""
    if text.startswith("many "):
        return [f"{number} " for number in range(int(text.split()[1]))]
    if "on the table" in text:
        return ["A ", "red ", "cup."]
    return ["You ", "asked: ", text]


def answer(question: Question, sink: Sink, *, held: Callable[[str], bool]) -> None:
    """Answer one question as an engine would."""
    if question.text == "fail":
        failure = Failure(code="out_of_memory", message="the device is out of memory")
        return sink(ended(question, "", "failed", failure=failure))
    if question.text == "nothing yet":
        failure = Failure(code="no_frames_yet", message="nothing seen", kind="stream_error")
        return sink(ended(question, "", "failed", failure=failure))
    if "everything" in question.text and not held(question.id):
        return sink(ended(question, "", "cancelled"))
    spans = (evidence(question.stream),)[: question.max_evidence]
    sink(Recalled(question_id=question.id, as_of=AS_OF, evidence=spans))
    pieces = chunks_of(question.text)
    sink(AnswerChunk(question_id=question.id, text=pieces[0]))
    if question.text == "hold" and not held(question.id):
        return sink(ended(question, pieces[0], "cancelled"))
    for piece in pieces[1:]:
        sink(AnswerChunk(question_id=question.id, text=piece))
    sink(ended(question, "".join(pieces), "completed"))


def ended(
    question: Question, text: str, status: Status, *, failure: Failure | None = None
) -> Answer:
    """The end of an answer."""
    return Answer(
        question_id=question.id,
        stream=question.stream,
        text=text,
        status=status,
        as_of=None if failure else AS_OF,
        evidence=() if failure else (evidence(question.stream),)[: question.max_evidence],
        timings=Timings(queue_s=0.001, retrieve_s=0.002, ttft_s=0.01, decode_s=0.05, total_s=0.07),
        question_tokens=9,
        context_tokens=400,
        answer_tokens=len(text.split()),
        failure=failure,
    )
