"""The engine, step by step, on the toy backbone: no thread is needed to test it."""

from __future__ import annotations

import pytest
import torch

from livevlm.engine import Engine, EngineOptions, EngineStream
from livevlm.errors import ConfigError, QueueFull, StreamNotFound
from livevlm.messages import Answer, AnswerChunk, AnswerEvent, Question, Recalled, TimeRange
from livevlm.metrics import Metrics
from livevlm.remembering import MemoryRecipe
from livevlm.toy import ToyBackbone
from streams import Frame, ReaderStatus
from tests.livevlm.tiny import frames

RECIPE = MemoryRecipe(budget_tokens=96, short_term_frames=4)


class Clock:
    """Seconds that pass when told to, and a little with every look."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


class Camera:
    """Frames that wait for the engine."""

    def __init__(self, count: int = 0) -> None:
        self.waiting = frames(count, size=(64, 64))
        self.taken: list[int] = []

    def take(self, limit: int) -> list[Frame]:
        given, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.taken += [frame.index for frame in given]
        return given

    def status(self) -> ReaderStatus:
        return ReaderStatus(
            state="connecting", error_code=None, error=None, received=len(self.taken), sampled=len(self.taken), dropped={},
            reconnects=0, last_frame_utc=None, live=True, taken=len(self.taken),
        )  # fmt: skip

    def stream(self, name: str) -> EngineStream:
        return EngineStream(name, f"test:{name}", self.take, self.status, lambda: len(self.waiting))


def engine(
    cameras: dict[str, Camera], *, clock: Clock | None = None, max_waiting: int = 8
) -> Engine:
    """An engine over the cameras."""
    return Engine(
        ToyBackbone(),
        streams=[camera.stream(name) for name, camera in cameras.items()],
        options=EngineOptions(memory=RECIPE, max_waiting=max_waiting),
        metrics=Metrics(),
        clock=clock or Clock(),
    )


def question(id_: str = "q", **fields: object) -> Question:
    """A short question to the camera `cam`."""
    return Question(
        **{"id": id_, "stream": "cam", "text": "What do you see?", "max_tokens": 6, **fields}
    )  # type: ignore[arg-type]


def run(made: Engine) -> None:
    """Until there is nothing to do."""
    while made.step():
        pass


def ask(made: Engine, asked: Question) -> list[AnswerEvent]:
    """All events of one question."""
    events: list[AnswerEvent] = []
    made.submit(asked, events.append)
    run(made)
    return events


def test_events_come_in_order_and_end_once() -> None:
    """What was recalled, then text, then the one end, which holds the whole text."""
    events = ask(engine({"cam": Camera(10)}), question())
    assert isinstance(events[0], Recalled)
    assert [type(event) for event in events[1:-1]] == [AnswerChunk] * (len(events) - 2)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "".join(event.text for event in events if isinstance(event, AnswerChunk))
    assert answer.status in ("completed", "incomplete")
    assert answer.answer_tokens <= 6
    assert answer.question_tokens > 0


def test_an_answer_tells_what_it_saw_and_when() -> None:
    """as_of is the newest frame, evidence lies inside the stream with both clocks, timings add up."""
    made = engine({"cam": Camera(10)})
    run(made)
    answer = ask(made, question())[-1]
    assert isinstance(answer, Answer)
    assert answer.as_of is not None
    assert (answer.as_of.stream_s, answer.as_of.utc) == (9.0, 1009.0)
    assert answer.evidence
    for one in answer.evidence:
        assert 0 <= one.from_s <= one.to_s <= 9
        assert one.from_utc == 1000 + one.from_s
    timings = answer.timings
    assert 0 < timings.retrieve_s < timings.ttft_s < timings.total_s


def test_now_is_now() -> None:
    """Frames that wait when a question's turn comes are taken in first, but never more than one chunk of them."""
    camera = Camera(10)
    made = engine({"cam": camera})
    recalled = ask(made, question())[0]
    assert isinstance(recalled, Recalled)
    assert recalled.as_of.stream_s == 3.0


def test_a_long_answer_does_not_hold_up_ingest() -> None:
    """Between two tokens a waiting chunk is taken."""
    camera = Camera(24)
    made = engine({"cam": camera})
    events: list[AnswerEvent] = []
    made.submit(question(max_tokens=30), events.append)
    for _ in range(5):
        made.step()
    assert not isinstance(events[-1], Answer)
    assert len(camera.taken) == 24


def test_streams_take_turns() -> None:
    """A stream with a long queue does not starve the other."""
    busy, quiet = Camera(40), Camera(4)
    made = engine({"busy": busy, "quiet": quiet})
    made.step()
    made.step()
    assert len(quiet.taken) == 4
    assert len(busy.taken) == 4


def test_two_answers_are_given_at_once_and_equal_those_given_alone() -> None:
    """Answers take turns token by token, and do not disturb each other."""
    alone = [
        ask(engine({"cam": Camera(4)}), question(text=text))[-1] for text in ("one?", "another?")
    ]
    made = engine({"cam": Camera(4)})
    events: dict[str, list[AnswerEvent]] = {"a": [], "b": []}
    for id_, text in (("a", "one?"), ("b", "another?")):
        made.submit(question(id_, text=text), events[id_].append)
    run(made)
    for id_, single in zip("ab", alone, strict=True):
        answer = events[id_][-1]
        assert isinstance(answer, Answer)
        assert isinstance(single, Answer)
        assert answer.text == single.text


def test_asking_does_not_change_what_is_answered_later() -> None:
    """An engine that was asked a hundred times answers as one that was never asked before."""
    asked, fresh = (engine({"cam": Camera(20)}) for _ in range(2))
    run(asked)
    run(fresh)
    for number in range(20):
        ask(asked, question(f"q{number}", text=f"{number}?"))
    first, second = (ask(made, question("last"))[-1] for made in (asked, fresh))
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.text, first.evidence) == (second.text, second.evidence)


def test_a_question_before_the_first_frame_fails_with_its_reason() -> None:
    """no_frames_yet, naming the stream and how it is doing; exactly one event."""
    (answer,) = ask(engine({"cam": Camera()}), question())
    assert isinstance(answer, Answer)
    assert answer.failure is not None
    assert (answer.status, answer.failure.code) == ("failed", "no_frames_yet")
    assert "cam" in answer.failure.message
    assert "connecting" in answer.failure.message


def test_a_time_that_is_not_remembered_fails_with_its_reason() -> None:
    """range_not_in_memory tells what the memory does reach."""
    made = engine({"cam": Camera(10)})
    run(made)
    (answer,) = ask(made, question(time=TimeRange(from_s=500, to_s=600)))
    assert isinstance(answer, Answer)
    assert answer.failure is not None
    assert answer.failure.code == "range_not_in_memory"
    assert "9.0 s" in answer.failure.message


def test_a_time_range_bounds_the_evidence() -> None:
    """`last` and UTC ranges reach the memory as stream time."""
    made = engine({"cam": Camera(12)})
    run(made)
    for number, time in enumerate((TimeRange(last_s=2), TimeRange(from_s=1009, utc=True))):
        answer = ask(made, question(f"q{number}", time=time))[-1]
        assert isinstance(answer, Answer)
        assert min(one.from_s for one in answer.evidence) >= 9


def test_an_unknown_stream_is_refused_and_the_known_ones_named() -> None:
    """The way out is in the message."""
    with pytest.raises(StreamNotFound, match=r"porch.*cam"):
        engine({"cam": Camera()}).submit(question(stream="porch"), lambda _event: None)


def test_too_many_questions_are_refused() -> None:
    """Every queue is bounded; what was accepted is still answered."""
    made = engine({"cam": Camera(4)}, max_waiting=2)
    events: list[AnswerEvent] = []
    made.submit(question("a"), events.append)
    made.submit(question("b"), events.append)
    with pytest.raises(QueueFull):
        made.submit(question("c"), events.append)
    run(made)
    assert sum(isinstance(event, Answer) for event in events) == 2
    made.submit(question("c"), events.append)


def test_only_so_many_answers_hold_a_working_copy() -> None:
    """Device memory is bounded by askers too: the third of three questions begins when one of the two before it has ended."""
    camera = Camera(4)
    made = Engine(
        ToyBackbone(),
        streams=[camera.stream("cam")],
        options=EngineOptions(memory=RECIPE, max_active=2),
        metrics=Metrics(),
        clock=Clock(),
    )
    events: list[AnswerEvent] = []
    for id_ in "abc":
        made.submit(question(id_), events.append)
    run(made)
    begun = [event.question_id for event in events if isinstance(event, Recalled)]
    ended = [event.question_id for event in events if isinstance(event, Answer)]
    assert begun == ended == ["a", "b", "c"]
    last = next(
        event for event in events if isinstance(event, Recalled) and event.question_id == "c"
    )
    first = next(event for event in events if isinstance(event, Answer))
    assert events.index(first) < events.index(last)


def test_an_id_in_use_is_refused() -> None:
    """Two open questions cannot be told apart by one id; afterwards it is free again."""
    made = engine({"cam": Camera(4)})
    made.submit(question(), lambda _event: None)
    with pytest.raises(ValueError, match="'q'"):
        made.submit(question(), lambda _event: None)
    run(made)
    made.submit(question(), lambda _event: None)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_cancelling_ends_an_answer_once(steps: int) -> None:
    """Before its turn or in the middle: one end, cancelled, with the text so far; afterwards the id is unknown."""
    made = engine({"cam": Camera(4)})
    events: list[AnswerEvent] = []
    made.submit(question(max_tokens=50), events.append)
    for _ in range(steps):
        made.step()
    assert made.cancel("q")
    run(made)
    ends = [event for event in events if isinstance(event, Answer)]
    assert len(ends) == 1
    assert ends[0].status == "cancelled"
    assert ends[0] is events[-1]
    assert not made.cancel("q")


def test_a_cancelled_id_may_be_used_again() -> None:
    """A cancellation ends one answer, not the next one under the same name."""
    made = engine({"cam": Camera(8)})
    made.submit(question(), lambda _event: None)
    made.cancel("q")
    run(made)
    answer = ask(made, question())[-1]
    assert isinstance(answer, Answer)
    assert answer.status != "cancelled"


def test_a_deadline_ends_an_answer_as_it_stands() -> None:
    """Past its deadline an answer is incomplete, with the reason."""
    clock = Clock()
    made = engine({"cam": Camera(4)}, clock=clock)
    events: list[AnswerEvent] = []
    made.submit(question(max_tokens=50, deadline_s=5), events.append)
    made.step()
    clock.now += 6
    run(made)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.failure is not None
    assert (answer.status, answer.failure.code) == ("incomplete", "deadline_exceeded")


def test_closing_ends_everything_open() -> None:
    """Nobody is left waiting: the answer in progress and the one still queued both end as cancelled."""
    made = engine({"cam": Camera(4)})
    events: list[AnswerEvent] = []
    made.submit(question("a", max_tokens=50), events.append)
    made.step()
    made.submit(question("b"), events.append)
    made.close()
    assert [event.status for event in events if isinstance(event, Answer)] == [
        "cancelled",
        "cancelled",
    ]


def test_statuses_tell_what_is_remembered() -> None:
    """A snapshot names source, frames, tokens by tier and bytes."""
    made = engine({"cam": Camera(20)})
    run(made)
    (status,) = made.streams()
    assert (status.name, status.frames_encoded, status.as_of and status.as_of.stream_s) == (
        "cam",
        20,
        19.0,
    )
    assert status.memory_tokens == {"prompt": 1, "short": 64, "long": 96, "archive": 320}
    assert status.memory_bytes > 0
    assert status.queue_frames == 0


@pytest.mark.parametrize(
    "wrong", [{"retention": "magic"}, {"reader": "psychic"}, {"index": "cards"}, {"reader": "rekv"}]
)
def test_a_memory_that_cannot_be_made_is_named(wrong: dict[str, str]) -> None:
    """Unknown names, and pairs that do not go together, are configuration errors."""
    with pytest.raises(ConfigError, match=next(iter(wrong.values()))):
        MemoryRecipe(**wrong)  # type: ignore[arg-type]


def test_the_toy_follows_its_seed() -> None:
    """The toy backbone is the same every time."""
    assert torch.equal(ToyBackbone(3).embed([1, 2]), ToyBackbone(3).embed([1, 2]))
    assert not torch.equal(ToyBackbone(3).embed([1, 2]), ToyBackbone(4).embed([1, 2]))
