"""Tiny checkpoints of the real class with random weights, and frames for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

from livevlm.hf import LlavaOnevision, load
from livevlm.models.checkpoint import SHAPES, build_model, save_checkpoint
from livevlm.models.tokenizer import build_tokenizer
from streams import Frame


@cache
def checkpoint() -> Path:
    """A folder with a tiny random LlavaOnevisionForConditionalGeneration, written once a test run."""
    folder = Path(mkdtemp(prefix="livevlm-tiny-"))
    tokenizer = build_tokenizer(["what colour is the star?", "a red star"], 300)
    torch.manual_seed(0)
    model = build_model(SHAPES["tiny"], tokenizer, torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # The initial spread is so small that every answer would repeat its first token.
            if "language_model.layers" in name and weight.ndim == 2:
                weight.mul_(8)
    save_checkpoint(model, tokenizer, folder)
    return folder


@cache
def backbone(dtype: torch.dtype, device: str = "cpu") -> LlavaOnevision:
    """The tiny checkpoint, loaded the way any other is."""
    return load(str(checkpoint()), device=torch.device(device), dtype=dtype)


def frames(
    count: int, *, size: tuple[int, int] = (32, 32), seed: int = 0, stream: str = "cam"
) -> list[Frame]:
    """Random pictures, one a second."""
    rng = np.random.default_rng(seed)
    width, height = size
    images = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [
        Frame(stream, number, float(number), 1000.0 + number, image)
        for number, image in enumerate(images)
    ]
