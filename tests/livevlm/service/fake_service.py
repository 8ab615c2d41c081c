"""FakeService: a small real service with a thread of its own, that answers what its questions tell it to.

The text of a question says what happens: "hold" waits until `release` or a cancellation, "many N" answers in N chunks, "fail"
fails, "full" is refused, "everything" waits before it says a word; anything else is answered "You asked: ...".
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from livevlm.errors import QueueFull
from livevlm.messages import (
    Answer,
    AnswerChunk,
    AsOf,
    Evidence,
    Failure,
    Question,
    Recalled,
    Sink,
    Status,
    StreamStatus,
    Timings,
)

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
        "frames_received": 100,
        "frames_encoded": 90,
        "frames_dropped": {"backpressure": 7, "rate": 3},
        "reconnects": 2,
        "queue_frames": 3,
        "last_frame_utc": AS_OF.utc + 0.5,
        "as_of": AS_OF,
        "memory_tokens": {"short": 128, "long": 4096},
        "memory_bytes": 1 << 20,
        "memory_from_s": 2.5,
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
    )


class FakeService:
    """Use it in a `with`; `streams` may be replaced while it runs."""

    def __init__(self, *names: str) -> None:
        self.statuses = [stream_status(name) for name in names or ("front",)]
        self.is_ready = True
        self.looked = 0
        self.questions: list[Question] = []
        self.cancelled: list[str] = []
        self.changed = threading.Condition()
        self._released = False
        self._work: queue.Queue[tuple[Question, Sink] | None] = queue.Queue()
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
            answer(*work, held=self._held)

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
