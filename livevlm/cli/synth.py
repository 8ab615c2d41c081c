"""Synth: what `livevlm models synth` does once its words are understood. Only this part of it needs the model's libraries."""

from __future__ import annotations

from pathlib import Path

import torch

from livevlm.hf import no_progress_bar
from livevlm.models.checkpoint import SHAPES, build_model, save_checkpoint
from livevlm.models.tokenizer import build_tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def synth(shape: str, out: Path, *, dtype: str, seed: int) -> None:
    """Write a checkpoint of a known shape and dtype, by their names, into a folder. OSError where that cannot be written.

    The tokenizer has one token a byte: enough to ask anything, and the answers mean nothing anyway.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer([], SHAPES[shape].vocab)
    out.mkdir(parents=True, exist_ok=True)
    with no_progress_bar():
        save_checkpoint(build_model(SHAPES[shape], tokenizer, DTYPES[dtype]), tokenizer, out)
