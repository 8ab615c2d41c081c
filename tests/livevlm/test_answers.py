"""Many askers at once: answers that are decoded together, who begins when, and what those who wait are told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from livevlm.decoder import Past
from livevlm.engine import Engine, EngineOptions
from livevlm.messages import Answer, AnswerEvent, Question, Queued, Recalled, TimeRange
from livevlm.metrics import Metrics
from livevlm.toy import ToyBackbone
from tests.livevlm.test_engine import RECIPE, Camera, Clock, question, run

STREAMS = ("cam", "yard")


class CountingToy(ToyBackbone):
    """A toy that writes down how many tokens each walk had."""

    def __init__(self) -> None:
        super().__init__()
        self.walks: list[int] = []

    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """As any toy does."""
        self.walks.append(len(embeds))
        return super().forward(embeds, past)


def lively() -> ToyBackbone:
    """A toy whose next token depends on what it attends to: as it comes, it mostly repeats itself."""
    toy = ToyBackbone()
    with torch.no_grad():
        for weight in toy._layers.parameters():
            if weight.ndim == 2:
                weight.mul_(4)
    return toy


@dataclass
class Told:
    """What the askers were told, by question."""

    events: dict[str, list[AnswerEvent]] = field(default_factory=dict)

    def sink(self, id_: str) -> Callable[[AnswerEvent], None]:
        """Where a question's events go."""
        return self.events.setdefault(id_, []).append

    def begun(self) -> list[str]:
        """The questions that have been begun."""
        return [
            id_
            for id_, all_ in self.events.items()
            if any(isinstance(one, Recalled) for one in all_)
        ]

    def positions(self, id_: str) -> list[int]:
        """Those that were told of a question."""
        return [one.position for one in self.events[id_] if isinstance(one, Queued)]

    def end(self, id_: str) -> Answer:
        """How it ended; it must have, once, and last."""
        ends = [one for one in self.events[id_] if isinstance(one, Answer)]
        assert len(ends) == 1
        assert self.events[id_][-1] is ends[0]
        return ends[0]


def engine(
    toy: ToyBackbone | None = None,
    *,
    cameras: dict[str, Camera] | None = None,
    clock: Clock | None = None,
    active: int = 8,
    begun: int = 4,
    waiting: int = 64,
) -> Engine:
    """An engine over two cameras that have shown something, and nothing new since."""
    cameras = {name: Camera(4) for name in STREAMS} if cameras is None else cameras
    made = Engine(
        toy or ToyBackbone(),
        streams=[camera.stream(name) for name, camera in cameras.items()],
        options=EngineOptions(
            memory=RECIPE, max_active=active, most_begun=begun, max_waiting=waiting
        ),
        metrics=Metrics(),
        clock=clock or Clock(),
    )
    run(made)
    return made


def test_a_step_is_one_walk_for_all_answers() -> None:
    """Seven answers that were begun at different times take one token each in one walk of the model."""
    toy, told = CountingToy(), Told()
    made = engine(toy)
    for number in range(7):
        id_ = str(number)
        made.submit(question(id_, stream=STREAMS[number % 2], max_tokens=40), told.sink(id_))
        made.step()
    toy.walks.clear()
    made.step()
    assert toy.walks == [7]


def test_a_question_begins_within_one_step_beside_other_answers() -> None:
    """It does not wait for their ends."""
    made, told = engine(), Told()
    for number in range(6):
        id_ = str(number)
        made.submit(question(id_, max_tokens=100), told.sink(id_))
        made.step()
        assert told.begun() == [str(one) for one in range(number + 1)]
        assert not told.positions(id_)


def test_sixty_four_questions_keep_no_frames_waiting() -> None:
    """While they wait, begin and are answered, each step takes a batch of frames, begins four at most, and walks the answers
    once; those who ask about one stream are no reason to leave the other out.
    """
    cameras = {name: Camera(400) for name in STREAMS}
    later = {name: camera.take(400)[4:] for name, camera in cameras.items()}
    for camera in cameras.values():
        camera.waiting, camera.taken = Camera(4).waiting, []
    told = Told()
    made = engine(cameras=cameras, active=16)
    for number in range(64):
        made.submit(question(str(number), max_tokens=8), told.sink(str(number)))
    for name, camera in cameras.items():
        camera.waiting = later[name]
    steps = 0
    while len(told.begun()) < 64:
        begun, taken = len(told.begun()), {name: len(one.taken) for name, one in cameras.items()}
        made.step()
        made.step()
        steps += 2
        assert len(told.begun()) - begun <= 8
        assert all(len(one.taken) >= taken[name] + 4 for name, one in cameras.items())
    assert steps < 64, "a place that is free is filled at once"


def test_a_client_with_sixty_questions_lets_others_pass() -> None:
    """Another client's first question begins after one of theirs; so does one about a stream that nobody else asks about."""
    made, told = engine(active=1), Told()
    for number in range(60):
        id_ = f"ann{number}"
        made.submit(question(id_, asker="ann", max_tokens=2), told.sink(id_))
    made.submit(question("ben", asker="ben", max_tokens=2), told.sink("ben"))
    made.submit(question("cleo", stream="yard", asker="cleo", max_tokens=2), told.sink("cleo"))
    while not {"ben", "cleo"} <= set(told.begun()):
        made.step()
    assert len(told.begun()) <= 5
    made.close()
    assert {told.end(id_).question_id for id_ in told.events} == set(told.events)


def test_who_waits_is_told_the_position_when_it_changes() -> None:
    """Only those who wait, only on a change, at most once a step; 1 is next."""
    made, told = engine(active=1), Told()
    for id_ in "abc":
        made.submit(question(id_, max_tokens=5), told.sink(id_))
    assert not any(told.events.values()), "nobody is told anything on the asker's own thread"
    made.step()
    made.step()
    assert [told.positions(id_) for id_ in "abc"] == [[], [1], [2]]
    made.submit(question("d", asker="dan", max_tokens=5), told.sink("d"))
    made.step()
    assert [told.positions(id_) for id_ in "abcd"] == [[], [1], [2, 3], [2]]
    made.cancel("b")
    made.step()
    assert [told.positions(id_) for id_ in "cd"] == [[2, 3, 1], [2]]
    run(made)
    for id_ in "abcd":
        kinds = [type(one) for one in told.events[id_]]
        assert (
            Queued not in kinds[kinds.index(Queued) + len(told.positions(id_)) :]
            if Queued in kinds
            else True
        )
        assert told.end(id_).status == ("cancelled" if id_ == "b" else "incomplete")


def test_far_back_in_the_line_small_changes_are_not_told() -> None:
    """Of two hundred who wait, the last is told of every sixteenth that goes at first, and of each near the end."""
    made, told = engine(active=1, waiting=300), Told()
    for number in range(200):
        made.submit(question(str(number), max_tokens=1), told.sink(str(number)))
    run(made)
    heard = told.positions("199")
    assert (heard[0], heard[-16:]) == (199, list(range(16, 0, -1)))
    assert len(heard) < 60
    assert all(before - after <= after / 16 + 1 for before, after in itertools.pairwise(heard))


def test_those_who_wait_need_no_turn_to_be_cancelled_or_late() -> None:
    """Their ends come with the next step, though all places are taken."""
    clock, told = Clock(), Told()
    made = engine(clock=clock, active=1)
    made.submit(question("long", max_tokens=200), told.sink("long"))
    made.submit(question("left"), told.sink("left"))
    made.submit(question("late", deadline_s=5), told.sink("late"))
    made.step()
    made.cancel("left")
    clock.now += 6
    made.step()
    assert told.end("left").status == "cancelled"
    late = told.end("late")
    assert late.failure is not None
    assert (late.status, late.failure.code) == ("incomplete", "deadline_exceeded")
    assert not isinstance(told.events["long"][-1], Answer)


def test_a_question_that_cannot_begin_hurts_none_that_begin_with_it() -> None:
    """One asks about a time that is not remembered, in the same step as two others."""
    made, told = engine(lively()), Told()
    for id_, time in (("a", None), ("bad", TimeRange(from_s=500, to_s=600)), ("b", None)):
        made.submit(question(id_, time=time), told.sink(id_))
    run(made)
    failure = told.end("bad").failure
    assert failure is not None
    assert failure.code == "range_not_in_memory"
    for id_ in "ab":
        assert told.end(id_).text == alone(question(id_)).text


def test_an_answer_that_breaks_hurts_none_that_is_decoded_with_it() -> None:
    """The model gives one answer numbers that are none: it fails with the reason, and the others are what they would be."""
    made, told = engine(lively()), Told()
    for id_ in ("a", "broken", "b"):
        made.submit(
            question(id_, text=f"{id_}?", temperature=float(id_ == "broken")), told.sink(id_)
        )
    made.step()
    past = made._answers._active[1].answering._past
    assert past is not None
    with torch.inference_mode():
        past._layers[0].fill_(torch.nan)
    run(made)
    failure = told.end("broken").failure
    assert failure is not None
    assert (told.end("broken").status, failure.code) == ("failed", "server_error")
    for id_ in "ab":
        assert told.end(id_).text == alone(question(id_, text=f"{id_}?")).text


@dataclass(frozen=True)
class Visit:
    """A question, how many steps after the one before it it comes, and after how many more it is cancelled, if it is."""

    question: Question
    comes: int
    leaves: int | None


VISITS = st.lists(
    st.builds(
        Visit,
        question=st.builds(
            question,
            stream=st.sampled_from(STREAMS),
            text=st.sampled_from(
                ("one?", "another one?", "And what was it that was there before that?")
            ),
            max_tokens=st.integers(1, 12),
            temperature=st.sampled_from((0.0, 0.0, 0.8)),
            seed=st.integers(0, 2),
            deadline_s=st.sampled_from((None, None, 500.0)),
            asker=st.sampled_from("ab"),
        ),
        comes=st.integers(0, 4),
        leaves=st.none() | st.integers(0, 6),
    ),
    max_size=9,
)


@cache
def whole(stream: str, text: str, temperature: float, seed: int) -> tuple[str, ...]:
    """What an answer that is given alone says, after each number of tokens: the naive twin."""
    return tuple(
        alone(
            question(stream=stream, text=text, temperature=temperature, seed=seed, max_tokens=count)
        ).text
        for count in range(13)
        if count
    )


def alone(asked: Question) -> Answer:
    """The answer of an engine that nobody else asks meanwhile."""
    told, made = Told(), quiet()
    made.submit(asked, told.sink("it"))
    run(made)
    return told.end("it")


@cache
def quiet() -> Engine:
    """An engine that is asked one question at a time; asking leaves no trace."""
    return engine(lively())


@settings(max_examples=25)
@given(VISITS, st.integers(1, 5), st.integers(1, 3), st.integers(0, 12))
def test_answers_decoded_together_are_those_decoded_alone(
    visits: Sequence[Visit], active: int, begun: int, late: int
) -> None:
    """Whoever joins and leaves, is cancelled or late meanwhile: each answer has the tokens that it has alone, as far as it
    came, and ends once.
    """
    clock, told = Clock(), Told()
    made = engine(lively(), clock=clock, active=active, begun=begun)
    due = sum(
        ([("come", one)] + [("step", None)] * one.comes for one in visits),
        list[tuple[str, Visit | None]](),
    )
    leaving: dict[str, int] = {}
    for step, (what, visit) in enumerate([*due, *[("step", None)] * 8]):
        if what == "come" and visit is not None:
            id_ = str(step)
            asked = Question(**{**as_fields(visit.question), "id": id_})  # type: ignore[arg-type]
            made.submit(asked, told.sink(id_))
            if visit.leaves is not None:
                leaving[id_] = step + visit.leaves
        else:
            made.step()
        if step == late:
            clock.now += 1000
        for id_ in [id_ for id_, when in leaving.items() if when == step]:
            made.cancel(id_)
    run(made)
    for step, (what, visit) in enumerate(due):
        if what == "come" and visit is not None:
            check(told.end(str(step)), visit.question)


def as_fields(asked: Question) -> dict[str, object]:
    """A question's fields."""
    return {name: getattr(asked, name) for name in Question.__slots__}


def check(answer: Answer, asked: Question) -> None:
    """An answer against the one that is given alone."""
    texts = whole(asked.stream, asked.text, asked.temperature, asked.seed)
    if answer.status in ("completed", "incomplete") and answer.failure is None:
        assert answer.text == texts[asked.max_tokens - 1]
    else:
        assert answer.status in ("cancelled", "incomplete")
        assert texts[-1].startswith(answer.text.rstrip("\N{REPLACEMENT CHARACTER}"))
