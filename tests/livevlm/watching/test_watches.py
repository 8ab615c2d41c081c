"""The watches of a daemon, without a model: what they are shown and what is judged of it comes from the test."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import torch

from livevlm.errors import (
    ConfigError,
    LiveVLMError,
    StreamNotFound,
    TooManyWatches,
    WatchExists,
    WatchNotFound,
)
from livevlm.ingest import StreamIngest
from livevlm.tokens import FrameTokens
from livevlm.watching.gate import GateOptions
from livevlm.watching.orders import DropWatch, Listed, ListWatches, Made, MakeWatch
from livevlm.watching.store import WatchStore
from livevlm.watching.watch import Rule, WatchEvent, WatchRequest, WatchStatus
from livevlm.watching.watches import BUSY_S, Clocks, Judge, Watches, WatchOptions
from memory import StreamMemory


class NoArchive:
    """A memory that nobody reads: the judge is the test's."""

    archive = None


@dataclass
class Shown:
    """What a stream shows: a number stands for a picture."""

    newest: FrameTokens | None = None
    memory: NoArchive = field(default_factory=NoArchive)


@dataclass
class Counted:
    """What was counted."""

    evaluated: int = 0
    skipped: int = 0
    triggered: int = 0

    def watch_evaluated(self, seconds: float) -> None:
        assert seconds >= 0
        self.evaluated += 1

    def watch_skipped(self) -> None:
        self.skipped += 1

    def watch_triggered(self) -> None:
        self.triggered += 1


class Stage:
    """Watches over streams that show what the test says, on clocks that stand still."""

    def __init__(
        self,
        *names: str,
        store: WatchStore | None = None,
        most: int = 64,
        judge: Judge | None = None,
    ) -> None:
        self.shown = {name: Shown() for name in names or ("front",)}
        self.utc, self.monotonic = 1000.0, 0.0
        self.answers: dict[str, float] = {}
        self.asked: list[str] = []
        self.events: list[WatchEvent] = []
        self.counts = Counted()
        numbers = iter(range(1, 1000))
        self.watches = Watches(
            lambda: judge or self._judge,
            WatchOptions(most=most, gate=GateOptions(change=0.1, longest_s=30.0)),
            counts=self.counts,
            new_id=lambda: f"watch_{next(numbers)}",
            store=store,
            clocks=Clocks(utc=lambda: self.utc, monotonic=lambda: self.monotonic),
        )
        self.watches.listen(self.events.append)

    def _judge(self, memory: StreamMemory, question: str) -> float:
        self.asked.append(question)
        return self.answers.get(question, 0.0)

    def _find(self, name: str) -> StreamIngest:
        if name not in self.shown:
            raise StreamNotFound(name)
        return cast(StreamIngest, self.shown[name])

    def make(self, condition: str = "a?", stream: str = "front", **rule: object) -> WatchStatus:
        """A watch with this rule."""
        request = WatchRequest(
            stream=stream,
            condition=condition,
            rule=Rule(**{"cooldown_s": 0.0, **rule}),  # type: ignore[arg-type]
        )
        made = self.watches.carry_out(MakeWatch(request))
        assert isinstance(made, Made)
        return made.status

    def listed(self) -> tuple[WatchStatus, ...]:
        """All watches."""
        found = self.watches.carry_out(ListWatches())
        assert isinstance(found, Listed)
        return found.statuses

    def show(self, picture: float, stream: str = "front", *, later: float = 1.0) -> None:
        """The stream shows another frame, so many seconds later."""
        self.utc += later
        number = 0 if (old := self.shown[stream].newest) is None else old.number + 1
        embeds = torch.tensor([[1.0, picture], [1.0, picture]])
        self.shown[stream].newest = FrameTokens(number, self.utc - 1000, self.utc, embeds)
        self.watches.saw(stream)

    def look(self, *, busy: bool = False) -> bool:
        """One step."""
        return self.watches.step(self._find, busy=busy)

    def settle(self) -> int:
        """Steps until there is nothing to do; how many did something."""
        steps = 0
        while self.look():
            steps += 1
        return steps

    def told(self) -> list[tuple[str, str]]:
        """What was told since the last look, as (change, condition)."""
        found = [(event.change, event.watch.request.condition) for event in self.events]
        self.events.clear()
        return found


def test_a_trigger_tells_what_and_when_it_was_seen() -> None:
    """The newest frame is the evidence, with both clocks and the probability."""
    stage = Stage()
    stage.make("a?")
    stage.answers["a?"] = 0.75
    stage.show(1.0)
    stage.settle()
    (event,) = stage.events
    assert (event.change, event.watch.id, event.probability) == ("triggered", "watch_1", 0.75)
    assert event.at is not None
    assert (event.at.stream_s, event.at.utc) == (1.0, 1001.0)
    assert event.evidence is not None
    assert (event.evidence.from_s, event.evidence.to_utc, event.evidence.tier) == (
        1.0,
        1001.0,
        "short",
    )
    (status,) = stage.listed()
    assert (status.state, status.triggers, status.triggered_utc) == ("triggered", 1, 1001.0)
    assert stage.counts == Counted(evaluated=1, skipped=0, triggered=1)


def test_what_is_in_view_already_is_looked_at_at_once() -> None:
    """A watch need not wait for the next frame of a slow stream."""
    stage = Stage()
    stage.show(1.0)
    stage.answers["a?"] = 0.9
    stage.make("a?")
    stage.settle()
    assert stage.told() == [("triggered", "a?")]


def test_while_the_picture_stays_nothing_is_asked() -> None:
    """The gate saves the evaluation; a change, or a long time, lets the next one through. Small changes add up."""
    stage = Stage()
    stage.make()
    for picture in (1.0, 1.01, 1.02, 2.0, 2.0):
        stage.show(picture)
        stage.settle()
    assert stage.counts == Counted(evaluated=2, skipped=3)
    stage.show(2.0, later=30.0)
    stage.settle()
    assert stage.counts.evaluated == 3
    for step in range(1, 20):
        stage.show(2.0 + 0.05 * step)
        stage.settle()
    assert 4 < stage.counts.evaluated < 10


def test_what_waits_to_be_confirmed_is_looked_at_whatever_the_gate_says() -> None:
    """Else a thing that stands still would never be confirmed."""
    stage = Stage()
    stage.make(confirm_n=3)
    stage.answers["a?"] = 0.9
    for _ in range(3):
        stage.show(1.0)
        stage.settle()
    assert stage.told() == [("triggered", "a?")]
    stage.show(1.0)
    stage.settle()
    assert stage.counts.skipped == 1


def test_after_the_cooldown_the_watch_looks_again_even_if_nothing_moved() -> None:
    """What came during the cooldown and stands there now is told then."""
    stage = Stage()
    stage.make(cooldown_s=5.0)
    stage.answers["a?"] = 0.9
    stage.show(1.0)
    stage.settle()
    stage.answers["a?"] = 0.1
    stage.show(2.0)
    stage.settle()
    stage.answers["a?"] = 0.9
    assert stage.told() == [("triggered", "a?"), ("cleared", "a?")]
    for _ in range(3):
        stage.show(2.0)
        stage.settle()
    assert stage.counts.evaluated == 2
    stage.show(2.0)
    stage.settle()
    assert stage.told() == [("triggered", "a?")]


def test_one_step_evaluates_one_watch_and_all_get_their_turn() -> None:
    """So tokens of answers and frames of streams never wait for more than one."""
    stage = Stage()
    for number in range(5):
        stage.make(f"{number}?")
    stage.show(1.0)
    for number in range(5):
        assert stage.look()
        assert len(stage.asked) == number + 1
        stage.show(float(number + 5))  # whoever had its turn waits behind those that had not
    assert stage.asked == [f"{number}?" for number in range(5)]


def test_a_watch_is_due_once_however_much_came() -> None:
    """A slow model looks less often; it never falls behind."""
    stage = Stage()
    stage.make()
    for picture in range(50):
        stage.show(float(picture))
    assert stage.settle() == 1


def test_while_answers_are_made_watches_hold_back_but_do_not_starve() -> None:
    """Answers go first; now and then a watch has its turn."""
    stage = Stage()
    stage.make("a?")
    stage.make("b?")
    stage.show(1.0)
    assert stage.look(busy=True)
    assert not stage.look(busy=True)
    stage.monotonic += BUSY_S
    assert stage.look(busy=True)
    assert stage.asked == ["a?", "b?"]


def test_a_watch_looks_at_its_own_stream_alone() -> None:
    """And sleeps while there is none of that name."""
    stage = Stage("front", "back")
    stage.make("a?", stream="back")
    stage.show(1.0, "front")
    assert stage.settle() == 0
    stage.show(1.0, "back")
    gone = stage.shown.pop("back")
    assert stage.settle() == 0
    stage.shown["back"] = gone
    stage.show(2.0, "back")
    assert stage.settle() == 1


def test_what_was_forgotten_is_not_looked_at() -> None:
    """When the newest frame was erased there is nothing to judge until the next comes."""
    stage = Stage()
    stage.make()
    stage.show(1.0)
    stage.shown["front"].newest = None
    assert stage.settle() == 0


def test_a_watch_expires_without_any_frame() -> None:
    """Also when its camera is dead; it is told once, and stays in the list until it is deleted."""
    stage = Stage()
    request = WatchRequest(stream="front", condition="a?", lasts_s=10.0)
    stage.watches.carry_out(MakeWatch(request))
    stage.utc += 9.9
    stage.settle()
    assert stage.told() == []
    stage.utc += 0.1
    stage.settle()
    stage.settle()
    (event,) = stage.events
    assert (event.change, event.at, event.evidence) == ("expired", None, None)
    assert [one.state for one in stage.listed()] == ["expired"]
    stage.show(1.0)
    assert stage.settle() == 0


def test_limits_and_names_are_kept() -> None:
    """So many watches, no name twice; what is not there cannot be deleted."""
    stage = Stage(most=2)
    made = stage.watches.carry_out(
        MakeWatch(WatchRequest(stream="front", condition="a?", name="door"))
    )
    with pytest.raises(WatchExists, match="'door'"):
        stage.watches.carry_out(
            MakeWatch(WatchRequest(stream="front", condition="b?", name="door"))
        )
    second = stage.make("b?")
    with pytest.raises(TooManyWatches, match="2 watches"):
        stage.make("c?")
    with pytest.raises(WatchNotFound, match="'gate'"):
        stage.watches.carry_out(DropWatch("gate"))
    stage.watches.carry_out(DropWatch("door"))
    stage.watches.carry_out(DropWatch(second.watch.id))
    assert isinstance(made, Made)
    assert stage.listed() == ()
    stage.show(1.0)
    assert stage.settle() == 0


def test_watches_outlive_the_daemon(tmp_path: Path) -> None:
    """Ids, rules and what was told already are those of before; a deleted one stays away."""
    store = WatchStore(tmp_path / "watches.json")
    first = Stage(store=store)
    first.make("a?")
    first.make("b?")
    gone = first.make("c?")
    first.watches.carry_out(DropWatch(gone.watch.id))
    first.answers["a?"] = 0.9
    first.show(1.0)
    first.settle()
    second = Stage(store=store)
    assert [(one.watch, one.state, one.triggers) for one in second.listed()] == [
        (one.watch, one.state, one.triggers) for one in first.listed()
    ]
    second.answers |= {"a?": 0.9, "b?": 0.9}
    second.show(1.0)
    second.settle()
    assert second.told() == [("triggered", "b?")]


def test_what_cannot_be_written_down_is_not_promised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No watch is made that would not outlive the daemon; a trigger is told all the same, and logged."""
    store = WatchStore(tmp_path / "watches.json")
    stage = Stage(store=store)
    stage.make("a?")
    (tmp_path / "watches.part").mkdir()
    with pytest.raises(LiveVLMError, match="cannot be written down"):
        stage.make("b?")
    assert [one.watch.request.condition for one in stage.listed()] == ["a?"]
    stage.answers["a?"] = 0.9
    stage.show(1.0)
    with caplog.at_level(logging.ERROR):
        stage.settle()
    assert stage.told() == [("triggered", "a?")]
    assert "cannot be written down" in caplog.text


def test_a_model_that_cannot_tell_yes_from_no_refuses_watches_alone() -> None:
    """The daemon starts with it; whoever makes a watch hears why not."""

    def cannot() -> Judge:
        raise ConfigError("cannot be watched with it")

    watches = Watches(cannot, WatchOptions(), counts=Counted(), new_id=lambda: "x")
    assert watches.carry_out(ListWatches()) == Listed(())
    with pytest.raises(ConfigError, match="cannot be watched"):
        watches.carry_out(MakeWatch(WatchRequest(stream="front", condition="a?")))
