"""Write LLaVA-OneVision checkpoints of a given shape: the bundled model's, tiny ones for tests, and the published sizes.

The shapes of the published checkpoints are facts of their configuration files
(llava-hf/llava-onevision-qwen2-{0.5b,7b}-ov-hf).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a LLaVA-OneVision checkpoint. Vision: a SigLIP tower; text: Qwen2 with grouped-query attention."""

    image_size: int
    patch_size: int
    vision_hidden: int
    vision_layers: int
    vision_heads: int
    vision_mlp: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    vocab: int
    tied: bool
    rope_theta: float = 1_000_000.0
    max_positions: int = 32_768


SHAPES = {
    "tiny": Shape(
        image_size=32, patch_size=8, vision_hidden=32, vision_layers=2, vision_heads=2, vision_mlp=64,
        hidden=64, layers=3, heads=4, kv_heads=2, mlp=96, vocab=320, tied=True, rope_theta=10_000.0,
    ),
    "glance": Shape(
        image_size=96, patch_size=12, vision_hidden=192, vision_layers=5, vision_heads=6, vision_mlp=768,
        hidden=192, layers=5, heads=6, kv_heads=2, mlp=768, vocab=768, tied=True, rope_theta=10_000.0,
        max_positions=1280,
    ),
    "llava-onevision-0.5b": Shape(
        image_size=384, patch_size=14, vision_hidden=1152, vision_layers=26, vision_heads=16, vision_mlp=4304,
        hidden=896, layers=24, heads=14, kv_heads=2, mlp=4864, vocab=152_000, tied=True,
    ),
    "llava-onevision-7b": Shape(
        image_size=384, patch_size=14, vision_hidden=1152, vision_layers=26, vision_heads=16, vision_mlp=4304,
        hidden=3584, layers=28, heads=28, kv_heads=4, mlp=18_944, vocab=152_128, tied=False,
    ),
}  # fmt: skip


def build_config(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> LlavaOnevisionConfig:
    """The configuration of that shape, with the tokenizer's ids for the image and video places."""
    vision = SiglipVisionConfig(
        image_size=shape.image_size,
        patch_size=shape.patch_size,
        hidden_size=shape.vision_hidden,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=shape.vision_heads,
        intermediate_size=shape.vision_mlp,
        vision_use_head=False,
    )
    text = Qwen2Config(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.mlp,
        max_position_embeddings=shape.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=shape.tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<video>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=shape.tied,
    )


def build_model(
    shape: Shape, tokenizer: PreTrainedTokenizerFast, dtype: torch.dtype
) -> LlavaOnevisionForConditionalGeneration:
    """A model of that shape with random weights."""
    model = LlavaOnevisionForConditionalGeneration(build_config(shape, tokenizer))
    return model.to(dtype).eval()


def save_checkpoint(
    model: LlavaOnevisionForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write everything that a checkpoint folder holds: weights, configuration, tokenizer and preprocessor files."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = model.config.vision_config.image_size
    preprocessor = {
        "do_resize": True,
        "size": {"height": size, "width": size},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": True,
    }
    for name, kind in (
        ("preprocessor_config", "image_processor_type"),
        ("video_preprocessor_config", "video_processor_type"),
    ):
        loader = (
            "LlavaOnevisionImageProcessor"
            if kind.startswith("image")
            else "LlavaOnevisionVideoProcessor"
        )
        text = json.dumps({kind: loader, **preprocessor}, indent=2)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
