"""Stage 2: teach the text model to answer from frame tokens, and to find them again.

What moves: streams strung together from the bank's filmed scenes go through the text model in the layout of
inference, with many questions each; the loss is asked of the answers' tokens alone, and, in part, of recall.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from livevlm.training.bank import Bank
from livevlm.training.layout import (
    IGNORED,
    Batch,
    Collator,
    attention_mask,
    draw_shown,
    position_ids,
)
from livevlm.training.looking import clues, looking_loss
from livevlm.training.optimize import Descent, cosine
from livevlm.training.questions import Rng
from livevlm.training.recall import Lookups, RecallLoss, draw_lookups, listening
from livevlm.training.reels import WEIGHTS, Reels, draw_reels
from livevlm.training.run import Run
from livevlm.training.standing import StandingLoss, asked_layer, standings
from streams.staging import Pair

# More of what only few streams allow to be asked; and, of that, what is looked up in two steps.
RARE = {
    **WEIGHTS, "now_sign": 2.0, "now_where": 9.0, "now_count": 6.0, "now_at": 3.0, "now_relation": 5.0,
    "now_beside": 7.0, "now_moving": 7.0,
    "past_colour": 3.0, "past_sign": 2.5, "past_did": 3.0, "past_first": 9.0, "past_next": 24.0, "past_when": 5.0,
}  # fmt: skip
LOOKUPS = {**RARE, "past_next": 70.0, "past_first": 20.0, "past_when": 15.0}
TOKENS = 4608  # of a batch, about
EXCHANGE_TOKENS = 24  # of a question with its answer, about
RECALL_WEIGHT = 0.1
STANDING_WEIGHT = 0.1
LOOKING_WEIGHT = 0.3
REFRESH = 25  # steps after which a block of the bank is replaced


@dataclass(frozen=True, slots=True)
class Course:
    """From what share of the run on; the lengths in frames, how often each type is asked, and whether in all wordings."""

    begins: float
    lengths: tuple[int, ...]
    types: Mapping[str, float] = field(default_factory=lambda: WEIGHTS)
    more: bool = False


# What a frame shows is learnt first.
CURRICULUM = (
    Course(0.0, (1, 2, 3, 4)),
    Course(0.15, (1, 3, 4, 6, 8, 12)),
    Course(0.35, (1, 3, 4, 6, 8, 12, 16, 24)),
    Course(0.55, (1, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)),
)
# The last stage: first what is looked up in two steps, in streams that are short; then everything.
LAST = (
    Course(0.0, (2, 4, 6, 8, 12, 16, 24), LOOKUPS, more=True),
    Course(0.5, (1, 2, 4, 8, 12, 16, 24, 32, 48, 64), RARE, more=True),
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a step learns from."""

    reels: Reels
    batch: Batch
    lookups: Lookups | None


def draw_lesson(
    rng: Rng, bank: Bank, collator: Collator, course: Course, *, pairs: Collection[Pair]
) -> Lesson:
    """As many streams of one of the course's lengths as make a batch; every third of them has times before its frames."""
    frames, types = int(rng.choice(course.lengths)), course.types
    stamped = bool(rng.random() < 0.35)
    tokens = bank.shots.tokens.shape[2] + (3 if stamped else 0)
    questions = 8 if frames <= 4 else 14 if frames <= 16 and types is not LOOKUPS else 22
    row = frames * tokens + len(collator.prompt) + questions * EXCHANGE_TOKENS
    reels = draw_reels(
        rng,
        bank.shots,
        count=max(4, min(40, TOKENS // row)),
        frames=frames,
        questions=questions,
        stamped=stamped,
        types=types,
        pairs=pairs,
        more=course.more,
    )
    tokens = bank.shots.tokens.shape[2] + collator.stamp_tokens(reels)
    shown = draw_shown(rng, reels, tokens)
    batch = collator.collate(reels, bank.shots.tokens.shape[2], shown)
    lookups = draw_lookups(rng, collator, reels) if frames > 3 else None
    return Lesson(reels, batch, lookups)


def embed(
    model: LlavaOnevisionForConditionalGeneration, tokens: Tensor, reels: Reels, batch: Batch
) -> Tensor:
    """(B, S, hidden): the text's embeddings, and the frames' tokens (S, LOOKS, N, hidden of the bank) in their places."""
    embeds: Tensor = model.model.language_model.embed_tokens(batch.ids)
    video = tokens[reels.scenes.to(tokens.device), reels.looks.to(tokens.device)].flatten(1, 2)
    places = batch.pixels.nonzero().flatten()
    return embeds.index_copy(1, places, video.to(embeds.dtype))


def answer_logits(
    model: LlavaOnevisionForConditionalGeneration, tokens: Tensor, reels: Reels, batch: Batch
) -> tuple[Tensor, Tensor]:
    """(A, vocabulary) logits and (A,) labels of all answer tokens of the batch."""
    states = model.model.language_model(
        inputs_embeds=embed(model, tokens, reels, batch),
        attention_mask=attention_mask(batch),
        position_ids=position_ids(batch),
        use_cache=False,
    ).last_hidden_state
    wanted = batch.labels != IGNORED
    return model.lm_head(states[wanted]), batch.labels[wanted]


def reading_parameters(
    model: LlavaOnevisionForConditionalGeneration,
) -> Iterable[tuple[str, nn.Parameter]]:
    """The text model's, by name."""
    yield from model.model.language_model.named_parameters(prefix="language_model")


def _lesson_loss(
    model: LlavaOnevisionForConditionalGeneration,
    recall: RecallLoss,
    standing: StandingLoss,
    bank: Bank,
    lesson: Lesson,
    run: Run,
) -> tuple[Tensor, dict[str, float]]:
    batch = lesson.batch.to(run.device)
    text = model.model.language_model
    with (
        listening(text, "q_proj") as asking,
        listening(text, "k_proj") as keys,
        listening(text, f"layers.{asked_layer(len(text.layers))}") as states,
    ):
        logits, labels = answer_logits(model, bank.shots.tokens, lesson.reels, batch)
    loss = nn.functional.cross_entropy(logits.float(), labels)
    figures = {
        "loss": float(loss.detach()),
        "tokens": float((logits.argmax(-1) == labels).float().mean()),
    }
    wanted = clues(lesson.reels).to(run.device)
    if (looked := looking_loss(model, asking, keys, wanted, batch)) is not None:
        loss, figures = loss + LOOKING_WEIGHT * looked[0], figures | {"looked": looked[1]}
    knowing, known = standing(states[0], standings(lesson.reels).to(run.device), batch)
    loss, figures = loss + STANDING_WEIGHT * knowing, figures | known
    if lesson.lookups is not None:
        lookups = lesson.lookups.to(run.device)
        with listening(text, "q_proj") as queries:
            text(input_ids=lookups.ids, use_cache=False)
        recalling, hits = recall(queries, keys, lookups, batch)
        loss = loss + RECALL_WEIGHT * recalling
        figures |= {"recall": float(recalling.detach()), "found": hits}
    return loss, figures


def train_language(
    model: LlavaOnevisionForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    run: Run,
    *,
    steps: int,
    horizon: int,
    seed: int,
    pairs: Sequence[Pair],
    blocks: int = 60,
    scenes: int = 100,
    peak: float = 2e-3,
    curriculum: Sequence[Course] = CURRICULUM,
    name: str = "language",
    recall: RecallLoss | None = None,
    standing: StandingLoss | None = None,
) -> RecallLoss:
    """Train the text model for so many steps; the tower and the projector stay as they are.

    horizon: the steps over which the learning rate falls and the streams grow longer, at least as many. recall: of an
    earlier stage; standing: of the stage `places`. Returns the recall loss, with its
    scales.
    """
    assert horizon >= steps, (horizon, steps)
    text = model.config.text_config
    collator = Collator(tokenizer)
    bank = Bank(model, run, seed, pairs, blocks=blocks, scenes=scenes)
    head_dim = text.hidden_size // text.num_attention_heads
    recall = recall or RecallLoss(text.num_hidden_layers, text.num_key_value_heads, head_dim)
    standing = standing or StandingLoss(text.hidden_size, text.vocab_size)
    heads = nn.ModuleDict({"recall": recall, "standing": standing})
    whole = nn.ModuleDict({"model": model, **heads}).to(run.device)
    descent = Descent([*reading_parameters(model), *heads.named_parameters()])

    named = frozenset(pairs)

    def learn(step: int) -> dict[str, float]:
        bank.roll_to(step // REFRESH)
        rng = np.random.default_rng((seed, 1, step))
        course = [one for one in curriculum if step > one.begins * horizon][-1]
        lesson = draw_lesson(rng, bank, collator, course, pairs=named)
        with run.autocast():
            loss, figures = _lesson_loss(model, recall, standing, bank, lesson, run)
        descent.step(loss, cosine(step, horizon, peak))
        return figures

    run.stage(name, whole, descent, steps, learn)
    return recall
