"""A widened checkpoint says what the narrow one said, and can learn to say more."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlavaOnevisionForConditionalGeneration

from livevlm.models.checkpoint import save_checkpoint
from livevlm.training.widen import main, widen
from tests.livevlm.training.making import tiny_model, tokenizer

HEADS, LAYERS = 4, 3


def logits(model: LlavaOnevisionForConditionalGeneration) -> torch.Tensor:
    """Of some text."""
    ids = torch.arange(5, 25).view(2, 10)
    return model(input_ids=ids).logits


def test_a_wide_model_says_what_the_narrow_one_says() -> None:
    """To the last bit but for the order of sums: equal heads give equal scores, and a silent layer adds nothing."""
    narrow = tiny_model()
    wide = widen(narrow, kv_heads=HEADS, after=(0, LAYERS - 1))
    text = wide.config.text_config
    assert (text.num_key_value_heads, text.num_hidden_layers) == (HEADS, LAYERS + 2)
    assert len(text.layer_types) == LAYERS + 2
    with torch.no_grad():
        torch.testing.assert_close(logits(wide), logits(narrow), rtol=1e-5, atol=1e-5)
    assert narrow.config.text_config.num_hidden_layers == LAYERS


def test_new_layers_stand_behind_those_that_were_named_and_can_learn() -> None:
    """The outputs of a new layer begin at nothing, yet take a gradient from the first step on; the others are as they were."""
    narrow = tiny_model()
    wide = widen(narrow, kv_heads=2, after=(1,)).train()
    layers, old = wide.model.language_model.layers, narrow.model.language_model.layers
    for place, comes_from in ((0, 0), (1, 1), (3, 2)):
        assert torch.equal(layers[place].mlp.down_proj.weight, old[comes_from].mlp.down_proj.weight)
    new = layers[2]
    assert not new.mlp.down_proj.weight.any()
    assert not new.self_attn.o_proj.weight.any()
    assert torch.equal(new.mlp.up_proj.weight, old[1].mlp.up_proj.weight)
    logits(wide).square().sum().backward()
    assert new.mlp.down_proj.weight.grad is not None
    assert new.mlp.down_proj.weight.grad.any()
    assert new.self_attn.o_proj.weight.grad is not None
    assert new.self_attn.o_proj.weight.grad.any()


@pytest.mark.parametrize("kv_heads", [1, 3, 8])
def test_heads_that_cannot_be_divided_so_are_refused(kv_heads: int) -> None:
    """Fewer, no multiple of what is there, or more than there are query heads."""
    with pytest.raises(ValueError, match=f"4 query heads over 2 .* cannot share {kv_heads}"):
        widen(tiny_model(), kv_heads=kv_heads, after=())


def test_a_layer_that_is_not_there_is_refused() -> None:
    """By its number."""
    with pytest.raises(ValueError, match="no layer 3, only 0 to 2"):
        widen(tiny_model(), kv_heads=2, after=(1, 3))


def test_the_command_writes_a_checkpoint_that_loads(tmp_path: Path) -> None:
    """With tokenizer and preprocessor, in the type of the given one."""
    save_checkpoint(tiny_model().to(torch.bfloat16), tokenizer(), tmp_path / "narrow")
    given = [str(tmp_path / "narrow"), "--kv-heads", "4", "--after", "1"]
    assert main([*given, "--out", str(tmp_path / "wide")]) == 0
    wide = LlavaOnevisionForConditionalGeneration.from_pretrained(tmp_path / "wide")
    assert wide.dtype == torch.bfloat16
    assert wide.config.text_config.num_key_value_heads == HEADS
    assert (tmp_path / "wide" / "tokenizer.json").exists()
    assert (tmp_path / "wide" / "video_preprocessor_config.json").exists()
