"""Whether a model is on this machine, told by its configuration alone: no weights are loaded, nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig

from livevlm.errors import ModelNotFound
from livevlm.models.registry import BUNDLED, TOY, bundled_path

TYPE = "llava_onevision"


def describe(name: str) -> str:
    """A model's kind and size, for people. Raises ModelNotFound where it is not here, or none that can be loaded."""
    if name == TOY:
        return "random, made when it is needed"
    place = bundled_path() if name == BUNDLED else Path(name).expanduser()
    try:
        config = AutoConfig.from_pretrained(
            str(place) if place.is_dir() else name, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ModelNotFound(f"{name} is not on this machine, or cannot be read") from error
    if config.model_type != TYPE:
        raise ModelNotFound(f"{name} is a {config.model_type}, not a {TYPE}")
    if place.is_dir() and not any(place.glob("*.safetensors")):
        raise ModelNotFound(f"{name} has a configuration, but no weights")
    text = config.text_config
    return f"{TYPE}, {text.num_hidden_layers} layers of {text.hidden_size}"
