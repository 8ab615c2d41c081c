"""Evaluation: is a condition true now? One forward pass over the newest frames, and no token is made.

What is read is the prompt and the short-term tier, exact as it is; nothing is searched for, and the memory stays as it was. The
question stands in the model's own chat frame, and the first token of the answer is looked at: the probability is that of the
words that begin a yes, against those that begin a no.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from livevlm.backbone import Backbone, TextCodec
from livevlm.chat import ChatLayout
from livevlm.decoder import AnswerPast
from livevlm.errors import ConfigError
from memory import StreamMemory

SPELLINGS = ("{}", " {}")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The ids of tokens with which a yes begins, and those of a no; none is in both."""

    yes: tuple[int, ...]
    no: tuple[int, ...]

    def probability(self, logits: Tensor) -> float:
        """Logits (vocabulary) of an answer's first token -> p(yes) / (p(yes) + p(no)), whatever else it may begin with."""
        yes, no = (logits[list(ids)].logsumexp(0) for ids in (self.yes, self.no))
        return float(torch.sigmoid(yes - no))


def verdicts(codec: TextCodec) -> Verdicts:
    """How a model's tokens begin a yes and a no. Raises ConfigError where they cannot be told apart."""
    yes, no = (_beginnings(codec, word) for word in ("yes", "no"))
    if not yes - no or not no - yes:
        raise ConfigError(
            "the model's tokens begin yes and no alike, so that conditions cannot be watched with it: use another model"
        )
    return Verdicts(tuple(sorted(yes - no)), tuple(sorted(no - yes)))


def _beginnings(codec: TextCodec, word: str) -> set[int]:
    """The first token of each spelling; one that is a space alone says nothing."""
    said = [form.format(one) for form in SPELLINGS for one in (word, word.capitalize())]
    return {ids[0] for ids in map(codec.encode, said) if ids and codec.decode(ids[:1]).strip()}


@torch.inference_mode()
def evaluate(
    backbone: Backbone, memory: StreamMemory, layout: ChatLayout, said: Verdicts, question: str
) -> float:
    """The probability that the answer to a yes-or-no question is yes, by what the newest frames show."""
    asking = backbone.codec.encode(layout.ask(question))
    past = AnswerPast(memory.recent(), memory.rope, len(asking))
    hidden = backbone.forward(backbone.embed(asking), past)
    return said.probability(backbone.logits(hidden[-1:])[0])
