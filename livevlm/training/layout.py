"""Layout: streams and their questions as token sequences, the way inference reads them.

A row is the prompt, the frames (each with its time in front, if the stream has one) and the exchanges one after the
other, each in a group of its own that sees the video and itself but no other exchange. So one forward pass gives many
answers to learn from, at contiguous positions. Older frames can be hidden from the exchanges, token by token as
retention does or by whole frames as recall does; the positions then close up over the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from livevlm.chat import ChatLayout, chat_layout
from livevlm.training.questions import Exchange, Rng
from livevlm.training.reels import Reels

IGNORED = -100
EXACT = (4, 9)  # how many of the newest frames are never hidden: from, below


def layout_of(tokenizer: PreTrainedTokenizerFast) -> ChatLayout:
    """The tokenizer's chat template, cut at video and question."""
    return chat_layout(
        lambda messages: tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        ),
        "<video>",
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Text ids (B, S), labels (B, S), groups (B, S; 0: prompt and video, -1: nothing), seen (B, S): what exchanges may see of
    group 0, pixels (S,): which places take frame tokens; frame_of (S,): the frame of a place, or -1.
    """

    ids: Tensor
    labels: Tensor
    groups: Tensor
    seen: Tensor
    pixels: Tensor
    frame_of: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class Collator:
    """Lays streams out as token sequences."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.layout = layout_of(tokenizer)
        self._tokenizer = tokenizer
        self.prompt = self.ids_of(self.layout.before_video)

    def ids_of(self, text: str) -> list[int]:
        """The text's tokens."""
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        assert isinstance(ids, list)
        return ids

    def collate(self, reels: Reels, frame_tokens: int, shown: Tensor | None = None) -> Batch:
        """shown (B, F, tokens a frame, the time's included) bool: what exchanges see of the frames; None is everything."""
        count, frames = reels.scenes.shape
        stamps = [
            [self.ids_of(text) for text in one.stamps or [""] * frames] for one in reels.footage
        ]
        stamp = len(stamps[0][0])
        whole = stamp + frame_tokens
        start = len(self.prompt) + frames * whole
        rows = [self._exchange_row(asked) for asked in reels.exchanges]
        width = start + max(len(ids) for ids, _, _ in rows)
        ids = torch.zeros(count, width, dtype=torch.long)
        labels = torch.full((count, width), IGNORED)
        groups = torch.full((count, width), -1)
        groups[:, :start] = 0
        ids[:, : len(self.prompt)] = torch.tensor(self.prompt)
        video = ids[:, len(self.prompt) : start].view(count, frames, whole)
        video[:, :, :stamp] = torch.tensor(stamps, dtype=torch.long).view(count, frames, stamp)
        for row, (row_ids, row_labels, row_groups) in enumerate(rows):
            stop = start + len(row_ids)
            ids[row, start:stop] = torch.tensor(row_ids)
            labels[row, start:stop] = torch.tensor(row_labels)
            groups[row, start:stop] = torch.tensor(row_groups)
        seen = torch.ones(count, width, dtype=torch.bool)
        if shown is not None:
            seen[:, len(self.prompt) : start] = shown.flatten(1)
        frame_of = torch.full((width,), -1)
        frame_of[len(self.prompt) : start] = torch.arange(frames).repeat_interleave(whole)
        pixels = torch.zeros(width, dtype=torch.bool)
        pixels[len(self.prompt) : start].view(frames, whole)[:, stamp:] = True
        return Batch(ids, labels, groups, seen, pixels, frame_of)

    def stamp_tokens(self, reels: Reels) -> int:
        """How many tokens a frame's time takes in these streams."""
        stamps = reels.footage[0].stamps
        return len(self.ids_of(stamps[0])) if stamps else 0

    def _exchange_row(self, asked: list[Exchange]) -> tuple[list[int], list[int], list[int]]:
        ids: list[int] = []
        labels: list[int] = []
        groups: list[int] = []
        for group, exchange in enumerate(asked, start=1):
            question = self.ids_of(self.layout.ask(exchange.question))
            answer = [*self.ids_of(exchange.answer), self._tokenizer.eos_token_id]
            ids += [*question, *answer]
            # The token before an answer's first predicts it; so labels stand one place early.
            labels += [IGNORED] * (len(question) - 1) + answer + [IGNORED]
            groups += [group] * (len(question) + len(answer))
        return ids, labels, groups


def attention_mask(batch: Batch) -> Tensor:
    """(B, 1, S, S) bool: causal; the video for all, an exchange for itself; what is hidden for nobody but the video."""
    width = batch.ids.shape[1]
    causal = torch.ones(width, width, dtype=torch.bool, device=batch.ids.device).tril()
    query, key = batch.groups[:, :, None], batch.groups[:, None, :]
    video = (key == 0) & ((query == 0) | batch.seen[:, None, :])
    mask = causal & ((query == key) | video)
    return mask.unsqueeze(1)


def position_ids(batch: Batch) -> Tensor:
    """(B, S): contiguous over what is seen; every exchange goes on from the end of the video."""
    in_video = batch.groups == 0
    video = ((in_video & batch.seen).long().cumsum(1) - 1).clamp_min(0)
    end = (in_video & batch.seen).sum(1, keepdim=True)
    begins = torch.ones_like(in_video)
    begins[:, 1:] = batch.groups[:, 1:] != batch.groups[:, :-1]
    place = torch.arange(batch.groups.shape[1], device=batch.ids.device).expand_as(batch.groups)
    first = torch.where(begins, place, torch.zeros_like(place)).cummax(1).values
    return torch.where(in_video, video, end + place - first)


def draw_shown(rng: Rng, reels: Reels, tokens: int) -> Tensor | None:
    """(B, F, tokens) bool: what the exchanges see of the frames; None is everything, as it is half of the time.

    Otherwise tokens of the older frames are gone at random, as after retention; or whole frames are, as when recall
    fetched some: then every exchange finds the frames that hold its answer, the newest ones, and some that it did not need.
    """
    count, frames = reels.scenes.shape
    choice, older = rng.random(), frames - int(rng.integers(*EXACT))
    if older <= 0 or choice < 0.5:
        return None
    shown = np.ones((count, frames, tokens), dtype=bool)
    if choice < 0.75:
        share = rng.uniform(0, 0.6, size=(count, 1, 1))
        shown[:, :older] = rng.random((count, older, tokens)) >= share
        return torch.from_numpy(shown)
    share = rng.uniform(0.05, 0.7, size=(count, 1, 1))
    shown[:, :older] = rng.random((count, older, 1)) < share
    for row, asked in enumerate(reels.exchanges):
        needed = [number for exchange in asked for number in exchange.frames]
        shown[row, needed] = True
    return torch.from_numpy(shown)
