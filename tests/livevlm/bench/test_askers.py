"""The benchmark of askers runs, and both ways give all their answers in full. How long it takes is its to say, not a test's."""

from __future__ import annotations

import json
import time

import pytest
import torch

from livevlm.bench import askers
from livevlm.bench.asking import Ceiling, Endless, Views
from livevlm.decoder import Past
from livevlm.engine import EngineOptions
from livevlm.remembering import MemoryRecipe
from livevlm.toy import ToyBackbone


class CountingToy(ToyBackbone):
    """A toy that writes down how many tokens each walk had."""

    def __init__(self) -> None:
        super().__init__()
        self.walks: list[int] = []

    def forward(self, embeds: torch.Tensor, past: Past) -> torch.Tensor:
        """As any toy does."""
        self.walks.append(len(embeds))
        return super().forward(embeds, past)


def test_every_number_of_askers_is_measured_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that the number of streams is no divisor of; the last line is one JSON object."""
    words = ["--model", "toy", "--threads", "1", "--askers", "1,3", "--streams", "2", "--json"]
    few = ["--tokens", "4", "--seconds", "0.01", "--fps", "50", "--budget-tokens", "96"]
    assert askers.main([*words, *few]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bench"], found["streams"], found["answer_tokens"]) == ("askers", 2, 4)
    assert [(row["askers"], row["way"]) for row in found["rows"]] == [
        (1, "one walk"),
        (1, "a walk each"),
        (3, "one walk"),
        (3, "a walk each"),
    ]
    for row in found["rows"]:
        assert row["tokens_per_s"] > 0
        assert 0 < row["first_p50_ms"] <= row["first_p95_ms"]
        assert 0 < row["of_ceiling"]


@pytest.mark.parametrize(("together", "walks"), [(True, [3]), (False, [1, 1, 1])])
def test_a_walk_for_each_is_what_it_is_held_against(together: bool, walks: list[int]) -> None:
    """Answers are walked together or one by one; in full length, for no token ends one."""
    toy = CountingToy()
    views = {name: Views(toy.frame_size) for name in ("front", "back")}
    options = EngineOptions(memory=MemoryRecipe(budget_tokens=96))
    room = askers.Room(toy, views, options, time.monotonic)
    room.model.together = together
    toy.walks.clear()
    run = askers.Run()
    room.ask(run, askers=3, tokens=6, fps=0.0)
    assert [answer.answer_tokens for answer in run.answers] == [6, 6, 6]
    assert toy.walks[-len(walks) * 5 :] == walks * 5
    assert run.frames == 0


def test_the_ceiling_reads_weights_once_and_every_context() -> None:
    """A machine of a byte a second takes as many seconds as there are bytes; one of an operation a second as many as those."""
    toy, ceiling = ToyBackbone(), Ceiling(bytes_per_s=1000, flops_per_s=1e12)
    token = 2 * 2 * 12 * 2 * 4
    assert ceiling.walk_ms(toy, [10, 5]) == pytest.approx(toy.weight_bytes + 15 * token)
    slow = Ceiling(bytes_per_s=1e12, flops_per_s=1000)
    assert slow.walk_ms(toy, [0, 0]) == pytest.approx(2 * 2 * toy.weight_bytes / 4)


def test_pictures_come_when_they_are_shown() -> None:
    """A second apart by stream time, no more than are asked for."""
    views = Views((64, 64))
    assert views.take(4) == []
    views.show(3)
    assert [frame.pts_s for frame in views.take(2)] == [0.0, 1.0]
    assert views.waiting == 1
    assert [frame.pts_s for frame in views.take(9)] == [2.0]


def test_what_a_model_has_besides_is_its_own() -> None:
    """The endless model is the model but for its ends."""
    toy = ToyBackbone()
    endless = Endless(toy)
    assert (endless.kv, endless.name) == (toy.kv, "toy")
    assert endless.codec.encode("ab") == [97, 98]
    assert not endless.codec.stop_ids
