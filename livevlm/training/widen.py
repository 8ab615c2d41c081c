"""Widen: a checkpoint with more key-value heads and layers, which answers as before: `python -m livevlm.training.widen`.

A key-value head becomes several equal ones, so that each group of query heads that shared it is divided; training then makes
them differ. A new layer is a copy of the one before it whose two outputs begin at nothing, so that it adds nothing until it
has learnt to (after Net2Net, Chen et al., arXiv 1511.05641, whose widening and deepening also keep what the network says).
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
)

from livevlm.models.checkpoint import save_checkpoint

PREFIX = "model.language_model.layers."
SILENT = ("self_attn.o_proj.weight", "mlp.down_proj.weight")
SHARED = ("self_attn.k_proj.", "self_attn.v_proj.")


def widen(
    model: LlavaOnevisionForConditionalGeneration, *, kv_heads: int, after: tuple[int, ...]
) -> LlavaOnevisionForConditionalGeneration:
    """A model with so many key-value heads, and with a new layer behind each of the layers `after`, that says the same.

    ValueError where the heads cannot be divided so, or where there is no such layer.
    """
    text = model.config.text_config
    heads, shared, layers = (
        text.num_attention_heads,
        text.num_key_value_heads,
        text.num_hidden_layers,
    )
    if kv_heads % shared or heads % kv_heads:
        raise ValueError(
            f"{heads} query heads over {shared} key-value heads cannot share {kv_heads}"
        )
    if unknown := [layer for layer in after if not 0 <= layer < layers]:
        raise ValueError(f"there is no layer {unknown[0]}, only 0 to {layers - 1}")
    # Per layer of the new model, the old one that it comes from, and whether it is new.
    plan = [(old, new) for old in range(layers) for new in (False, True)[: 1 + (old in after)]]
    wide = LlavaOnevisionForConditionalGeneration(_config(model.config, kv_heads, len(plan)))
    state = model.state_dict()
    parts = {name: part for name, part in state.items() if not name.startswith(PREFIX)}
    for layer, (old, new) in enumerate(plan):
        begin = f"{PREFIX}{old}."
        for name in [name for name in state if name.startswith(begin)]:
            inner = name.removeprefix(begin)
            part = (
                _repeated(state[name], shared, kv_heads)
                if inner.startswith(SHARED)
                else state[name]
            )
            parts[f"{PREFIX}{layer}.{inner}"] = (
                torch.zeros_like(part) if new and inner in SILENT else part
            )
    wide.load_state_dict(parts)
    return wide.to(next(model.parameters()).dtype).eval()


def _config(config: LlavaOnevisionConfig, kv_heads: int, layers: int) -> LlavaOnevisionConfig:
    wide = copy.deepcopy(config)
    wide.text_config.num_key_value_heads = kv_heads
    wide.text_config.num_hidden_layers = layers
    wide.text_config.layer_types = ["full_attention"] * layers
    return wide


def _repeated(part: Tensor, shared: int, kv_heads: int) -> Tensor:
    """A projection's rows (shared * D, ...), every head's as often as its group of query heads is divided."""
    heads = part.view(shared, -1, *part.shape[1:])
    return heads.repeat_interleave(kv_heads // shared, dim=0).flatten(0, 1)


def main(argv: list[str]) -> int:
    """Widen a checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m livevlm.training.widen", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--kv-heads", type=int, required=True)
    parser.add_argument("--after", type=int, nargs="*", default=[], help="layers, counted from 0")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(options.checkpoint)
    wide = widen(model, kv_heads=options.kv_heads, after=tuple(options.after))
    save_checkpoint(wide, AutoTokenizer.from_pretrained(options.checkpoint), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
