"""The models that are known by name, and loading any other by folder or hub name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from livevlm.backbone import Backbone
from livevlm.errors import ConfigError, ModelNotFound
from livevlm.hf import load
from livevlm.toy import ToyBackbone

BUNDLED = "bundled"
TOY = "toy"
# What of the model hub fits: size and training, MiB of weights, and what for.
HUB = (
    ("0.5b-ov", 1705.0, "images, several images and video; runs on a CPU, slowly"),
    ("0.5b-si", 1705.0, "the same before video was trained"),
    ("7b-ov", 15318.0, "images, several images and video; for a GPU"),
    ("7b-ov-chat", 15318.0, "the same, tuned to converse"),
    ("7b-si", 15318.0, "the same before video was trained"),
)
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Listing:
    """A model that can be named: weights in MiB, and where they come from."""

    name: str
    mebibytes: float
    note: str


def bundled_path() -> Path:
    """The folder of the checkpoint that ships with the package."""
    return Path(__file__).parent / "glance"


def list_models() -> list[Listing]:
    """The models that are known by name; any other LLaVA-OneVision folder or hub name works as well."""
    weights = bundled_path() / "model.safetensors"
    return [
        Listing(
            BUNDLED,
            round(weights.stat().st_size / 2**20, 1) if weights.exists() else 0.0,
            "ships with the package; sees coloured shapes, digits and signs",
        ),
        Listing(TOY, 0.0, "random, for trying the daemon without weights; says nonsense"),
        *(
            Listing(f"llava-hf/llava-onevision-qwen2-{name}-hf", mebibytes, note)
            for name, mebibytes, note in HUB
        ),
    ]


def load_backbone(
    name: str, *, device: str = "auto", dtype: str = "auto", threads: int = 0
) -> Backbone:
    """Load a model: "bundled", "toy", a checkpoint folder, or a hub name.

    device: auto (CUDA where there is one), cpu, cuda, cuda:N. dtype: auto is bfloat16 on CUDA and float32 on the CPU.
    threads: CPU threads of the process's torch, 0 for all cores. Raises ModelNotFound, and ConfigError for a device
    that is not there.
    """
    torch.set_num_threads(threads or os.cpu_count() or 1)
    place = _device(device)
    if name == TOY:
        return ToyBackbone()
    kind = _DTYPES.get(dtype, torch.bfloat16 if place.type == "cuda" else torch.float32)
    if name == BUNDLED:
        return load(str(bundled_path()), device=place, dtype=kind, name=BUNDLED)
    if _looks_like_path(name) and not Path(name).expanduser().is_dir():
        raise ModelNotFound(
            f"no model folder at {name}; give a checkpoint folder, a hub name, or {BUNDLED}"
        )
    return load(
        str(Path(name).expanduser()) if _looks_like_path(name) else name,
        device=place,
        dtype=kind,
        name=name,
    )


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") != 1 or Path(name).is_dir()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"model.device is {name}, but torch sees no CUDA device here; use cpu or auto"
        )
    return torch.device(name)
