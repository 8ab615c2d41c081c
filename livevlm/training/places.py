"""Stage between: teach new layers what frames should know of their place in the stream, from frames alone.

What moves: streams without questions go through the lower layers of the text model; the loss is `StandingLoss`, of their last
layer's states. Only the layers that are named learn: the others know their work. Every token is asked, so batches may be small;
without questions and without the upper layers a step then costs a fourth of one of the language stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torch import nn
from transformers import LlavaOnevisionForConditionalGeneration, PreTrainedTokenizerFast

from livevlm.training.bank import Bank
from livevlm.training.language import REFRESH, embed
from livevlm.training.layout import Collator, attention_mask, position_ids
from livevlm.training.optimize import Descent, cosine
from livevlm.training.questions import Rng
from livevlm.training.recall import listening
from livevlm.training.reels import Reels, draw_reels
from livevlm.training.run import Run
from livevlm.training.standing import STAMP, StandingLoss, asked_layer, standings
from streams.staging import Pair

LENGTHS = (4, 8, 16, 24, 32)
TOKENS = 3072  # of a batch, about: every one of them is asked


@contextmanager
def lower_layers(model: LlavaOnevisionForConditionalGeneration) -> Iterator[None]:
    """The text model ends with the layer whose states are asked."""
    text = model.model.language_model
    whole = text.layers
    text.layers = whole[: asked_layer(len(whole)) + 1]
    text.config.num_hidden_layers = len(text.layers)
    try:
        yield
    finally:
        text.layers = whole
        text.config.num_hidden_layers = len(whole)


def train_places(
    model: LlavaOnevisionForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    run: Run,
    *,
    steps: int,
    seed: int,
    pairs: Sequence[Pair],
    layers: Sequence[int],
    blocks: int = 30,
    scenes: int = 100,
    peak: float = 2e-3,
) -> StandingLoss:
    """Train these layers of the text model for so many steps; gives back the heads that read what they have learnt."""
    text = model.config.text_config
    collator = Collator(tokenizer)
    bank = Bank(model, run, seed, pairs, blocks=blocks, scenes=scenes)
    standing = StandingLoss(text.hidden_size, text.vocab_size)
    learning = nn.ModuleDict({str(one): model.model.language_model.layers[one] for one in layers})
    whole = nn.ModuleDict({"model": model, "standing": standing}).to(run.device)
    descent = Descent([*learning.named_parameters(), *standing.named_parameters()])

    last = f"layers.{asked_layer(text.num_hidden_layers)}"

    def learn(step: int) -> dict[str, float]:
        bank.roll_to(step // REFRESH)
        rng = np.random.default_rng((seed, 1, step))
        reels = _draw(rng, bank, collator)
        batch = collator.collate(reels, bank.shots.tokens.shape[2]).to(run.device)
        with run.autocast(), listening(model.model.language_model, last) as states:
            model.model.language_model(
                inputs_embeds=embed(model, bank.shots.tokens, reels, batch),
                attention_mask=attention_mask(batch),
                position_ids=position_ids(batch),
                use_cache=False,
            )
            wanted = standings(reels).to(run.device)
            loss, figures = standing.forward(states[0], wanted, batch)
        descent.step(loss, cosine(step, steps, peak))
        return figures

    with lower_layers(model), _others_rest(model, learning):
        run.stage("places", whole, descent, steps, learn)
    return standing


def _draw(rng: Rng, bank: Bank, collator: Collator) -> Reels:
    """Streams of one length that make a batch; every other one has times before its frames."""
    frames, stamped = int(rng.choice(LENGTHS)), bool(rng.random() < 0.5)
    row = frames * (bank.shots.tokens.shape[2] + STAMP * stamped) + len(collator.prompt)
    count = max(2, TOKENS // row)
    return draw_reels(rng, bank.shots, count=count, frames=frames, questions=0, stamped=stamped)


@contextmanager
def _others_rest(
    model: LlavaOnevisionForConditionalGeneration, learning: nn.ModuleDict
) -> Iterator[None]:
    awake = {id(one) for one in learning.parameters()}
    rest = [one for one in model.parameters() if one.requires_grad and id(one) not in awake]
    for one in rest:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in rest:
            one.requires_grad_(True)
