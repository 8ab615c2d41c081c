"""Stage 2: teach the text model to answer from frame tokens.

What moves: a bank of scenes, encoded once by the trained tower, is strung into streams of 1 to 32 frames; every stream
carries several questions, each in a group of its own that sees the video and itself but no other question. So one
forward pass gives many answers to learn from, laid out as at inference: prompt, frames, question, contiguous positions.
In half of the batches tokens of older frames are hidden from the questions at random and the positions close up over
the gaps, as retention and recall do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from livevlm.chat import ChatLayout, chat_layout
from livevlm.training.questions import TYPES, WORDINGS, Exchange, View, draw_exchange
from livevlm.training.vision import cosine, descend, frame_tokens, photograph, to_pixels
from streams.scene import COLOURS, KINDS, draw_scene

LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32)
LONG = (*LENGTHS, 40, 48, 56, 64)
# Yes or no is learnt slowest, and so it is asked more often.
ASKED = (*TYPES, "now_is", "past_did", "past_did")
IGNORED = -100


def corpus() -> list[str]:
    """Every wording filled with every word: what the tokenizer is trained on."""
    names = [f"{colour} {kind}" for colour in COLOURS for kind in KINDS]
    lines = [f"a {one} and a {two}" for one, two in zip(names, reversed(names), strict=True)]
    for wordings in WORDINGS.values():
        for wording in wordings:
            for colour in ("colour", "color"):
                text = wording.format(colour=colour, kind="star", hue="red", thing="blue 7")
                lines += [text, text[0].upper() + text[1:]]
    spoken = ("yes", "no", "not in view", "not seen", *COLOURS, *KINDS)
    return lines + [word for word in spoken for _ in range(20)]


def layout_of(tokenizer: PreTrainedTokenizerFast) -> ChatLayout:
    """The tokenizer's chat template, cut at video and question."""
    return chat_layout(
        lambda messages: tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        ),
        "<video>",
    )


@dataclass(frozen=True, slots=True)
class Bank:
    """Encoded scenes: tokens (S, V, N, hidden), V looks at each of S scenes, and what each scene shows."""

    tokens: Tensor
    views: tuple[View, ...]


@torch.no_grad()
def build_bank(
    model: LlavaOnevisionForConditionalGeneration,
    rng: np.random.Generator,
    scenes: int,
    looks: int = 2,
) -> Bank:
    """Encode so many new scenes, each at several moments of its drift."""
    side = model.config.vision_config.image_size
    tokens, views = [], []
    for start in range(0, scenes, 128):
        batch = [draw_scene(rng) for _ in range(min(128, scenes - start))]
        images = [
            photograph(rng, scene, float(rng.uniform(0, 10)), side)
            for scene in batch
            for _ in range(looks)
        ]
        with torch.autocast("cpu", torch.bfloat16):
            encoded = frame_tokens(model, to_pixels(np.stack(images)))
        tokens.append(encoded.to(torch.bfloat16).reshape(len(batch), looks, *encoded.shape[1:]))
        views += [
            tuple((sprite.kind, sprite.colour) for sprite in scene.sprites) for scene in batch
        ]
    return Bank(torch.cat(tokens), tuple(views))


@dataclass(frozen=True, slots=True)
class Streams:
    """A batch of B streams of F frames: per frame the scene and the look, per stream its exchanges."""

    scenes: Tensor
    looks: Tensor
    exchanges: list[list[Exchange]]


def draw_streams(
    rng: np.random.Generator,
    bank: Bank,
    *,
    count: int,
    frames: int,
    questions: int,
    types: Sequence[str] = TYPES,
    held_out: bool = False,
) -> Streams:
    """Streams of scenes that last one to six frames each, with questions about them."""
    rows: list[npt.NDArray[np.int64]] = []
    exchanges: list[list[Exchange]] = []
    while len(rows) < count:
        scenes = _draw_scenes(rng, frames, len(bank.views))
        views = [bank.views[scene] for scene in scenes]
        # Some streams give no question of a type (no digit in view, say): those are drawn again.
        tries = (
            draw_exchange(rng, views, types[int(place)], held_out=held_out)
            for place in rng.integers(len(types), size=3 * questions)
        )
        asked = [exchange for exchange in tries if exchange][:questions]
        if len(asked) == questions:
            rows.append(scenes)
            exchanges.append(asked)
    scenes = np.stack(rows)
    looks = rng.integers(bank.tokens.shape[1], size=scenes.shape)
    return Streams(torch.from_numpy(scenes), torch.from_numpy(looks), exchanges)


def _draw_scenes(rng: np.random.Generator, frames: int, scenes: int) -> npt.NDArray[np.int64]:
    """Which scene each frame shows: scenes last one to six frames."""
    shown = np.zeros(frames, np.int64)
    start = 0
    while start < frames:
        length = int(rng.integers(1, 7))
        shown[start : start + length] = rng.integers(scenes)
        start += length
    return shown


@dataclass(frozen=True, slots=True)
class Batch:
    """Text ids (B, S) with the video's places empty, labels (B, S), groups (B, S), hidden video tokens (B, F*N)."""

    ids: Tensor
    labels: Tensor
    groups: Tensor
    hidden: Tensor
    prompt: int


class Collator:
    """Lays streams out as token sequences."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.layout = layout_of(tokenizer)
        self._tokenizer = tokenizer
        self.prompt = self._ids(self.layout.before_video)

    def _ids(self, text: str) -> list[int]:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        assert isinstance(ids, list)
        return ids

    def collate(self, streams: Streams, tokens_per_frame: int, hide: Tensor) -> Batch:
        """One sequence a stream: prompt, frames, then the exchanges one after the other in groups 1, 2, ..."""
        count, frames = streams.scenes.shape
        start = len(self.prompt) + frames * tokens_per_frame
        rows = [self._exchange_row(asked) for asked in streams.exchanges]
        width = start + max(len(ids) for ids, _, _ in rows)
        ids = torch.zeros(count, width, dtype=torch.long)
        labels = torch.full((count, width), IGNORED)
        groups = torch.full((count, width), -1)
        groups[:, :start] = 0
        ids[:, : len(self.prompt)] = torch.tensor(self.prompt)
        for row, (row_ids, row_labels, row_groups) in enumerate(rows):
            stop = start + len(row_ids)
            ids[row, start:stop] = torch.tensor(row_ids)
            labels[row, start:stop] = torch.tensor(row_labels)
            groups[row, start:stop] = torch.tensor(row_groups)
        return Batch(ids, labels, groups, hide, len(self.prompt))

    def _exchange_row(self, asked: list[Exchange]) -> tuple[list[int], list[int], list[int]]:
        ids: list[int] = []
        labels: list[int] = []
        groups: list[int] = []
        for group, exchange in enumerate(asked, start=1):
            question = self._ids(self.layout.ask(exchange.question))
            answer = [*self._ids(exchange.answer), self._tokenizer.eos_token_id]
            ids += [*question, *answer]
            # The token before an answer's first predicts it; so labels stand one place early.
            labels += [IGNORED] * (len(question) - 1) + answer + [IGNORED]
            groups += [group] * (len(question) + len(answer))
        return ids, labels, groups


def attention_mask(batch: Batch) -> Tensor:
    """(B, 1, S, S) bool: causal, the video for all, an exchange for itself, hidden tokens for nobody but the video."""
    width = batch.ids.shape[1]
    seen = torch.ones(batch.ids.shape, dtype=torch.bool)
    seen[:, batch.prompt : batch.prompt + batch.hidden.shape[1]] = ~batch.hidden
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    query, key = batch.groups[:, :, None], batch.groups[:, None, :]
    video = (key == 0) & ((query == 0) | seen[:, None, :])
    mask = causal & ((query == key) | video)
    return mask.unsqueeze(1)


def position_ids(batch: Batch) -> Tensor:
    """(B, S): contiguous over what is seen; every exchange goes on from the end of the video."""
    start = batch.prompt + batch.hidden.shape[1]
    shown = torch.ones(batch.ids.shape[0], start, dtype=torch.long)
    shown[:, batch.prompt :] = (~batch.hidden).long()
    video = (shown.cumsum(1) - 1).clamp_min(0)
    end = video[:, -1:] + 1
    groups = batch.groups[:, start:]
    begins = torch.ones_like(groups, dtype=torch.bool)
    begins[:, 1:] = groups[:, 1:] != groups[:, :-1]
    place = torch.arange(groups.shape[1]).expand_as(groups)
    first = torch.where(begins, place, torch.zeros_like(place)).cummax(1).values
    return torch.cat((video, end + place - first), dim=1)


def draw_hidden(rng: np.random.Generator, count: int, frames: int, tokens: int) -> Tensor:
    """(B, F*N) bool: which tokens of the older frames the questions do not see; none in half of the batches."""
    hidden = torch.zeros(count, frames, tokens, dtype=torch.bool)
    older = frames - int(rng.integers(4, 9))
    if older > 0 and rng.random() < 0.5:
        share = rng.uniform(0, 0.7, size=(count, 1, 1))
        hidden[:, :older] = torch.from_numpy(rng.random((count, older, tokens)) < share)
    return hidden.flatten(1)


def answer_logits(
    model: LlavaOnevisionForConditionalGeneration, bank: Bank, streams: Streams, batch: Batch
) -> tuple[Tensor, Tensor]:
    """(A, vocabulary) logits and (A,) labels of all answer tokens of the batch."""
    text = model.model.language_model
    embeds = text.embed_tokens(batch.ids)
    video = bank.tokens[streams.scenes, streams.looks].flatten(1, 2).to(embeds.dtype)
    stop = batch.prompt + video.shape[1]
    embeds = torch.cat((embeds[:, : batch.prompt], video, embeds[:, stop:]), dim=1)
    states = text(
        inputs_embeds=embeds,
        attention_mask=attention_mask(batch),
        position_ids=position_ids(batch),
        use_cache=False,
    ).last_hidden_state
    wanted = batch.labels != IGNORED
    return model.lm_head(states[wanted]), batch.labels[wanted]


def train_language(
    model: LlavaOnevisionForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    *,
    steps: int,
    seed: int,
    scenes: int = 8000,
    peak: float = 2e-3,
    lengths: Sequence[int] = LENGTHS,
    easy_share: float = 0.25,
    log: Callable[[str], None] = print,
) -> None:
    """Train the text model for so many steps on a bank of scenes; the tower and the projector stay as they are.

    lengths: of streams, in frames. easy_share: how much of the run sees the four shortest alone.
    """
    rng = np.random.default_rng(seed)
    bank, collator = build_bank(model, rng, scenes), Collator(tokenizer)
    parameters = [*model.model.language_model.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, lr=peak, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    began, right, asked = time.monotonic(), 0, 0
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps, peak)
        # Short streams first: what a frame shows is learnt there, and looking far back afterwards.
        frames = lengths[int(rng.integers(4 if step < easy_share * steps else len(lengths)))]
        streams, batch = _draw_batch(rng, bank, collator, frames)
        with torch.autocast("cpu", torch.bfloat16):
            logits, labels = answer_logits(model, bank, streams, batch)
        loss = nn.functional.cross_entropy(logits.float(), labels)
        descend(optimizer, parameters, loss)
        right += int((logits.argmax(-1) == labels).sum())
        asked += len(labels)
        if step % 50 == 0:
            minutes = (time.monotonic() - began) / 60
            log(
                f"language step {step}/{steps} {minutes:.1f} min loss {loss.item():.3f} tokens right {right / asked:.3f}"
            )
            right = asked = 0


def _draw_batch(
    rng: np.random.Generator, bank: Bank, collator: Collator, frames: int
) -> tuple[Streams, Batch]:
    """As many streams of that length as make a batch of about 6 000 tokens."""
    tokens = bank.tokens.shape[2]
    count = max(8, min(48, 6144 // (frames * tokens + 160)))
    streams = draw_streams(rng, bank, count=count, frames=frames, questions=10, types=ASKED)
    return streams, collator.collate(streams, tokens, draw_hidden(rng, count, frames, tokens))
