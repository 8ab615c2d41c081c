"""Watches in the engine, step by step, on the toy backbone: their turns, and what they look at."""

from __future__ import annotations

import pytest

from livevlm.engine import Engine
from livevlm.errors import StreamNotFound
from livevlm.messages import Forget
from livevlm.watching.orders import Listed, ListWatches, Made, MakeWatch
from livevlm.watching.watch import Rule, WatchEvent, WatchRequest, WatchStatus
from tests.livevlm.test_engine import Camera, engine, question, run

# The toy model says nonsense: whatever it says is a yes to this rule.
ALWAYS = Rule(threshold=1e-9, cooldown_s=0.0)


def watch(made: Engine, condition: str = "a?", *, rule: Rule = ALWAYS) -> WatchStatus:
    """A watch on the camera `cam`, made in the next step."""
    ended = made.watch(MakeWatch(WatchRequest(stream="cam", condition=condition, rule=rule)))
    made.step()
    result = ended.result()
    assert isinstance(result, Made)
    return result.status


def evaluations(made: Engine) -> list[int]:
    """Of each watch, so far."""
    ended = made.watch(ListWatches())
    made.step()
    listed = ended.result()
    assert isinstance(listed, Listed)
    return [one.evaluations for one in listed.statuses]


def test_what_a_stream_shows_is_looked_at_and_told() -> None:
    """The newest frame, as it was numbered and timed; its picture is kept, so it can be shown."""
    camera, told = Camera(3), list[WatchEvent]()
    made = engine({"cam": camera})
    made.listen(told.append)
    run(made)
    status = watch(made)
    run(made)
    (event,) = told
    assert (event.change, event.watch.id) == ("triggered", status.watch.id)
    assert event.at is not None
    assert (event.at.stream_s, event.at.utc) == (2.0, 1002.0)
    assert event.evidence is not None
    assert event.evidence.picture == 2


def test_a_step_evaluates_one_watch_at_most() -> None:
    """However many there are; none is forgotten."""
    made = engine({"cam": Camera(1)})
    for number in range(4):
        watch(made, f"{number}?")
    before = sum(evaluations(made))
    assert before <= 5  # one a step, and each order took one
    run(made)
    assert evaluations(made) == [1, 1, 1, 1]


def test_a_stream_that_is_not_there_cannot_be_watched() -> None:
    """Told at once, with those that there are."""
    with pytest.raises(StreamNotFound, match="cam"):
        engine({"cam": Camera()}).watch(MakeWatch(WatchRequest(stream="no", condition="a?")))


def test_what_was_forgotten_is_not_looked_at() -> None:
    """A watch made after everything was erased waits for the next frame."""
    camera = Camera(2)
    made = engine({"cam": camera})
    run(made)
    made.errand(Forget(stream="cam", time=None), lambda _: None)
    run(made)
    watch(made)
    run(made)
    assert evaluations(made) == [0]


def test_an_answer_is_the_same_with_and_without_watches() -> None:
    """Watching leaves no trace in what is remembered."""

    def said(*conditions: str) -> list[object]:
        made = engine({"cam": Camera(12)})
        for condition in conditions:
            watch(made, condition)
        run(made)
        events: list[object] = []
        made.submit(question(), events.append)
        run(made)
        return [getattr(event, "text", None) for event in events]

    assert said("a?", "b?") == said()
