"""Captioner: a checkpoint that learns to say what a picture shows.

A picture is laid out as the daemon lays out a stream of one frame: prompt, frame, question, each through the
checkpoint's own tokenizer, chat template and video path, without the newline that ends a clip. The answer is the
caption and the end token, and these alone are learnt.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoConfig,
    AutoTokenizer,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerBase,
)

from livevlm.errors import ConfigError, ModelNotFound
from livevlm.hf import FILES, HubCodec, Pixels

# What learns, by the beginnings of the parameters' names.
PARTS = {
    "projector": ("model.multi_modal_projector",),
    "language": ("model.language_model", "lm_head"),
    "all": ("model.", "lm_head"),
}
IGNORED = -100
CAPTION_TOKENS = 512  # what is longer is cut, so that one long caption does not fill the memory
KEPT = (*FILES, "processor_config.json", "chat_template.json")


class Captioner:
    """A LLaVA-OneVision checkpoint, its weights in float32 however they are stored, and how it is spoken to."""

    def __init__(
        self,
        model: LlavaOnevisionForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        folder: Path,
        *,
        stored: torch.dtype,
        question: str,
    ) -> None:
        """folder: where the checkpoint came from; stored: the dtype there, and of what `save` writes.

        Raises ValueError where the chat template does not fit.
        """
        # Without dropout a step's gradient follows from its batch alone.
        self._model, self._tokenizer = model.requires_grad_(False).eval(), tokenizer
        self._folder, self._stored = folder, stored
        self._pixels = Pixels.read(_preprocessor(folder))
        self._codec = HubCodec(tokenizer, frozenset())
        layout = self._codec.layout("")
        self._before = self._codec.encode(layout.before_video)
        self._asked = self._codec.encode(layout.ask(question))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self._model.device
        return device

    @property
    def frame_size(self) -> tuple[int, int]:
        """(width, height) of the pictures that `loss` takes."""
        side = int(self._model.config.vision_config.image_size)
        return side, side

    def open(self, part: str) -> list[tuple[str, nn.Parameter]]:
        """Let one of PARTS learn; gives back its parameters by name."""
        named = [(k, one) for k, one in self._model.named_parameters() if k.startswith(PARTS[part])]
        for _, one in named:
            one.requires_grad_(True)
        return named

    def see(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """Pictures (B, size, size, 3), each a clip of one frame -> (B, N, hidden)."""
        pixels = self._pixels.tensor(images, self.device, torch.float32)
        features: Tensor = self._model.get_video_features(pixels[:, None]).pooler_output
        return features[:, :-1]

    def lay_out(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What follows the frame: ids and labels (B, W). Labels stand one place early, IGNORED where nothing is learnt."""
        ids, labels = [], []
        for caption in captions:
            spoken = self._codec.encode(caption)
            # A caption that is cut has no end: the model shall not learn to stop in mid-sentence.
            end = [self._tokenizer.eos_token_id] if len(spoken) <= CAPTION_TOKENS else []
            answer = [*spoken[:CAPTION_TOKENS], *end]
            ids.append(torch.tensor(self._asked + answer))
            labels.append(torch.tensor([IGNORED] * (len(self._asked) - 1) + answer + [IGNORED]))
        return (
            pad_sequence(ids, batch_first=True).to(self.device),
            pad_sequence(labels, batch_first=True, padding_value=IGNORED).to(self.device),
        )

    def loss(self, images: npt.NDArray[np.uint8], captions: Sequence[str]) -> Tensor:
        """Mean cross-entropy, in nats, over the captions' and end tokens of all pairs."""
        text = self._model.model.language_model
        ids, labels = self.lay_out(captions)
        seen = self.see(images)
        before = text.embed_tokens(torch.tensor(self._before, device=self.device))
        embeds = torch.cat(
            (before.expand(len(ids), -1, -1), seen.to(before.dtype), text.embed_tokens(ids)), dim=1
        )
        # Padding stands last, and nobody looks ahead: no mask is needed.
        states = text(inputs_embeds=embeds, use_cache=False).last_hidden_state
        wanted = labels != IGNORED
        logits = self._model.lm_head(states[:, -ids.shape[1] :][wanted])
        return nn.functional.cross_entropy(logits.float(), labels[wanted])

    def save(self, folder: Path) -> None:
        """Write a checkpoint that loads as the first one did, with its preprocessor files. The weights are in the stored dtype
        afterwards, here too.
        """
        config = self._model.config
        for part in (config, config.text_config, config.vision_config):
            part.dtype = self._stored
        self._model.to(self._stored).save_pretrained(folder)
        self._tokenizer.save_pretrained(folder)
        for name in KEPT:
            if (self._folder / name).is_file():
                shutil.copyfile(self._folder / name, folder / name)


def open_captioner(folder: Path, *, device: torch.device, question: str) -> Captioner:
    """The checkpoint in a folder, asked that question about every picture.

    ModelNotFound where there is none, where it is of another class, or where its files cannot be used; ConfigError for a
    device that is not there.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"no model folder at {folder}; give a checkpoint folder")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device is cuda, but torch sees no CUDA device here; use cpu")
    try:
        config = AutoConfig.from_pretrained(folder)
        if config.model_type != "llava_onevision":
            raise ModelNotFound(
                f"{folder} holds a {config.model_type} model; only llava_onevision checkpoints can be trained so far"
            )
        model = LlavaOnevisionForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        if tokenizer.eos_token_id is None:
            raise ValueError("its tokenizer has no end token")
        stored = config.dtype or torch.float32
        return Captioner(model.to(device), tokenizer, folder, stored=stored, question=question)
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ModelNotFound(f"the model {folder} cannot be loaded: {reason}") from error


def _preprocessor(folder: Path) -> str:
    """The text of the file that the daemon reads too."""
    for name in FILES:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    return "{}"
