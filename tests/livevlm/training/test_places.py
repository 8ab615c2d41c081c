"""Layers that learn what frames should know of their place, from frames alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from livevlm.training.places import lower_layers, train_places
from livevlm.training.standing import asked_layer
from livevlm.training.widen import widen
from streams.scene import PAIRS
from tests.livevlm.training.making import run_in, tiny_model, tokenizer


def test_half_of_the_layers_are_walked_and_then_all_again() -> None:
    """The states of the upper ones are not needed for what frames should know."""
    model = tiny_model()
    text = model.model.language_model
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        whole = text(ids).last_hidden_state
        with lower_layers(model):
            lower = text(ids).last_hidden_state
            assert len(text.layers) == asked_layer(3) + 1
        assert torch.equal(text(ids).last_hidden_state, whole)
    assert len(text.layers) == text.config.num_hidden_layers == 3
    assert not torch.equal(lower, whole)


@pytest.mark.parametrize(("layers", "asked"), [(1, 0), (3, 0), (5, 1), (8, 3), (24, 11)])
def test_the_lower_half_is_asked(layers: int, asked: int) -> None:
    """Its last layer, or the first where there is no half."""
    assert asked_layer(layers) == asked


def test_the_named_layers_alone_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss falls, by what these layers learn and the heads that are given back; everything else stays as it was, and can
    learn again afterwards.
    """
    monkeypatch.setattr("livevlm.training.run.LOG_EVERY", 15)
    monkeypatch.setattr("livevlm.training.places.TOKENS", 300)
    monkeypatch.setattr("livevlm.training.places.LENGTHS", (4, 6))
    model = widen(tiny_model(), kv_heads=2, after=(0,)).train()
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    standing = train_places(
        model,
        tokenizer(),
        run_in(tmp_path),
        steps=45,
        seed=1,
        pairs=PAIRS,
        layers=(1,),
        blocks=1,
        scenes=15,
        peak=5e-3,
    )
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    losses = [line["standing"] for line in lines]
    assert losses[2] < 0.8 * losses[0]
    assert {line["stage"] for line in lines} == {"places"}
    assert all(0 <= line[told] <= 1 for line in lines for told in ("own", "prior", "before"))
    moved = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert moved
    assert all(name.startswith("model.language_model.layers.1.") for name in moved)
    assert all(one.requires_grad for one in model.parameters())
    assert standing.depth.weight.requires_grad
