"""LlavaOnevision: the one adapter to transformers, for `LlavaOnevisionForConditionalGeneration` from a folder or a hub name.

Vision goes through the model's public path; text through `livevlm.decoder`. As in ReKV the newline token that the model
appends to every clip is left out: a stream has no last frame, and pages stay aligned to frames. Preprocessing is done
here from `preprocessor_config.json`, because transformers' own image processors need torchvision, which has no CPU
build to rely on.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerBase,
)
from transformers.utils import cached_file
from transformers.utils import logging as transformers_logging

from livevlm.chat import ChatLayout, chat_layout
from livevlm.decoder import Past, walk
from livevlm.errors import ModelNotFound
from livevlm.hub import not_here, why_away
from memory import KVShape, Rope

logger = logging.getLogger(__name__)

FILES = ("preprocessor_config.json", "video_preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Pixels:
    """How pictures become the tower's input: value * rescale, minus mean, over std, per channel."""

    rescale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, text: str) -> Pixels:
        """From a preprocessor file's text; what it leaves out is SigLIP's."""
        given: dict[str, Any] = json.loads(text)
        half = (0.5, 0.5, 0.5)
        rescale = (
            float(given.get("rescale_factor", 1 / 255)) if given.get("do_rescale", True) else 1.0
        )
        if not given.get("do_normalize", True):
            return cls(rescale, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        return cls(
            rescale, tuple(given.get("image_mean", half)), tuple(given.get("image_std", half))
        )

    def tensor(
        self, images: npt.NDArray[np.uint8], device: torch.device, dtype: torch.dtype
    ) -> Tensor:
        """Pictures (B, H, W, 3) uint8 -> (B, 3, H, W). The bytes travel to the device, the floats are made there."""
        pixels = (
            torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()
        )
        mean = torch.tensor(self.mean, device=device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=device).view(1, 3, 1, 1)
        return ((pixels * self.rescale - mean) / std).to(dtype)


class HubCodec:
    """The checkpoint's own tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop_ids: frozenset[int]) -> None:
        self._tokenizer, self._stop_ids = tokenizer, stop_ids

    @property
    def stop_ids(self) -> frozenset[int]:
        """The tokenizer's end of text and those of the generation configuration."""
        return self._stop_ids

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without added special tokens."""
        return [
            int(number) for number in self._tokenizer(text, add_special_tokens=False)["input_ids"]
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, special tokens left out."""
        return str(
            self._tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def layout(self, system_prompt: str) -> ChatLayout:
        """The chat template, cut at the video and the question."""

        def render(messages: list[dict[str, Any]]) -> str:
            return str(
                self._tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True
                )
            )

        return chat_layout(render, "<video>", system_prompt)


class LlavaOnevision:
    """A LLaVA-OneVision checkpoint behind the backbone protocol."""

    def __init__(
        self,
        model: LlavaOnevisionForConditionalGeneration,
        codec: HubCodec,
        pixels: Pixels,
        name: str,
    ) -> None:
        self._model, self._codec, self._pixels, self._name = model.eval(), codec, pixels, name
        text, vision = model.config.text_config, model.config.vision_config
        head_dim = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        self._kv = KVShape(
            text.num_hidden_layers, text.num_attention_heads, text.num_key_value_heads, head_dim
        )
        rotary = model.model.language_model.rotary_emb
        self._rope = Rope(rotary.inv_freq.float(), float(rotary.attention_scaling))
        side = vision.image_size // vision.patch_size
        self._size, self._side = vision.image_size, side

    @property
    def name(self) -> str:
        """The checkpoint's folder or hub name."""
        return self._name

    @property
    def kv(self) -> KVShape:
        """The text model's."""
        return self._kv

    @property
    def rope(self) -> Rope:
        """The text model's."""
        return self._rope

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self._model.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are."""
        dtype: torch.dtype = self._model.dtype
        return dtype

    @property
    def weight_bytes(self) -> int:
        """The language model's without its table of embeddings, of which a row is read; and the head's."""
        layers: nn.Module = self._model.model.language_model.layers
        return sum(
            one.nbytes for part in (layers, self._model.lm_head) for one in part.parameters()
        )

    @property
    def max_positions(self) -> int:
        """As the text model's configuration says."""
        return int(self._model.config.text_config.max_position_embeddings)

    @property
    def frame_size(self) -> tuple[int, int]:
        """The tower's square; frames are squashed to it, as LLaVA-OneVision does with video."""
        return self._size, self._size

    @property
    def frame_grid(self) -> tuple[int, int]:
        """The tower's patches."""
        return self._side, self._side

    @property
    def own_grid(self) -> tuple[int, int]:
        """Half the patches a side: 27 x 27 -> 14 x 14 in the published checkpoints."""
        return math.ceil(self._side / 2), math.ceil(self._side / 2)

    @property
    def codec(self) -> HubCodec:
        """The checkpoint's tokenizer."""
        return self._codec

    @torch.inference_mode()
    def encode(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """Tower and projector: (B, size, size, 3) uint8 -> (B, side, side, hidden)."""
        inner, config = self._model.model, self._model.config
        pixels = self._pixels.tensor(images, self.device, self.dtype)
        layer = config.vision_feature_layer
        states = inner.vision_tower(pixels, output_hidden_states=True).hidden_states
        features = (
            states[layer]
            if isinstance(layer, int)
            else torch.cat([states[each] for each in layer], dim=-1)
        )
        if config.vision_feature_select_strategy == "default":
            features = features[:, 1:]
        return inner.multi_modal_projector(features).unflatten(1, (self._side, self._side))  # type: ignore[no-any-return]

    @torch.inference_mode()
    def embed(self, ids: Sequence[int]) -> Tensor:
        """Rows of the embedding table."""
        out: Tensor = self._model.get_input_embeddings()(torch.tensor(ids, device=self.device))
        return out

    @torch.inference_mode()
    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """Through all layers and the final norm."""
        text: nn.Module = self._model.model.language_model
        return walk(text.layers, text.norm, embeds, self._kv.head_dim, past)  # type: ignore[arg-type]

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """The language model's head."""
        return self._model.lm_head(hidden).float()  # type: ignore[no-any-return]


def load(
    source: str, *, device: torch.device, dtype: torch.dtype | None, name: str | None = None
) -> LlavaOnevision:
    """Load a checkpoint from a folder or by its hub name; dtype None takes the checkpoint's own.

    Where the hub cannot be reached, what its cache on this machine holds is taken. ModelNotFound where there is none, where it
    is of another class, or where its files cannot be read.
    """
    away = None if Path(source).is_dir() else why_away()
    here = {"local_files_only": away is not None}
    try:
        kind = AutoConfig.from_pretrained(source, **here).model_type
        if kind != "llava_onevision":
            raise ModelNotFound(
                f"{source} holds a {kind} model; only llava_onevision checkpoints can be loaded so far"
            )
        with no_progress_bar():
            model = LlavaOnevisionForConditionalGeneration.from_pretrained(
                source,
                dtype=dtype or "auto",
                device_map={"": device} if device.type == "cuda" else None,
                **here,
            )
        tokenizer = AutoTokenizer.from_pretrained(source, **here)
        pixels = Pixels.read(_preprocessor(source, **here))
    except (OSError, ValueError, SafetensorError) as error:
        if away is not None and isinstance(error, OSError):
            raise ModelNotFound(not_here(source, away)) from error
        reason = str(error).splitlines()[0].rstrip(". ")
        raise ModelNotFound(
            f"the model {source} cannot be loaded: {reason}. Give a checkpoint folder or a hub name"
        ) from error
    if away is not None:
        logger.info("the model %s is taken from the hub's cache on this machine: %s", source, away)
    ends = model.generation_config.eos_token_id if model.generation_config else None
    stop = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
    return LlavaOnevision(model, HubCodec(tokenizer, frozenset(stop)), pixels, name or source)


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """transformers draws a bar for weights that load in a tenth of a second, into the daemon's log as well."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def _preprocessor(source: str, *, local_files_only: bool) -> str:
    for name in FILES:
        found = cached_file(
            source,
            name,
            local_files_only=local_files_only,
            _raise_exceptions_for_missing_entries=False,
        )
        if found:
            return Path(found).read_text(encoding="utf-8")
    return "{}"
