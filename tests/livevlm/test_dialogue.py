"""Earlier turns in the read path: they are read before the question, change no memory and no recall, and give way where the
model cannot read so much.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from livevlm.decoder import Past
from livevlm.engine import Engine, EngineOptions
from livevlm.messages import Answer, Exchange, Question
from livevlm.metrics import Metrics
from livevlm.toy import ToyBackbone
from tests.livevlm.test_engine import RECIPE, Camera, Clock, ask, question

EARLIER = (
    Exchange(question="What was it?", answer="A cup."),
    Exchange(question="And before that?", answer="A saucer."),
)


class SeeingToy(ToyBackbone):
    """A toy that keeps what it was given to read, as text, in walks of more than one token."""

    def __init__(self, max_positions: int) -> None:
        super().__init__()
        self.max_positions = max_positions
        self.read: list[str] = []
        self._table = {
            tuple(row.tolist()): number for number, row in enumerate(self.embed(range(257)))
        }

    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """As any toy does."""
        ids = [self._table.get(tuple(row.tolist()), 0) for row in embeds]
        if len(ids) > 1:
            self.read.append(self.codec.decode(ids))
        return super().forward(embeds, past)


def told(asked: Question, max_positions: int = 32_768) -> tuple[list[str], Answer]:
    """What the model reads for one question, and the answer."""
    backbone = SeeingToy(max_positions)
    made = Engine(
        backbone,
        streams=[Camera(8).stream("cam")],
        options=EngineOptions(memory=RECIPE),
        metrics=Metrics(),
        clock=Clock(),
    )
    while made.step():
        pass
    backbone.read.clear()
    answer = ask(made, asked)[-1]
    assert isinstance(answer, Answer)
    return backbone.read, answer


def test_earlier_turns_are_read_before_the_question_and_not_searched_for() -> None:
    """Memory is searched by the question alone; the model then reads the dialogue."""
    (searched, read), answer = told(question(earlier=EARLIER))
    assert searched == "What do you see?"
    assert read == (
        "\nQ: What was it?\nA: A cup.\nQ: And before that?\nA: A saucer.\nQ: What do you see?\nA: "
    )
    assert answer.question_tokens == len(read)


def test_without_earlier_turns_nothing_changes() -> None:
    """A question that stands alone is read as ever."""
    (searched, read), _ = told(question())
    assert (searched, read) == ("What do you see?", "\nQ: What do you see?\nA: ")


def test_turns_that_the_model_cannot_read_are_left_out_oldest_first() -> None:
    """Beside what is recalled, the question and an answer so much is read as the model was trained to read."""
    asked = question(text="What do you see? " * 10, earlier=EARLIER)
    _, alone = told(replace(asked, earlier=()))
    besides = alone.context_tokens + alone.question_tokens + asked.max_tokens
    newest = len("And before that?\nA: A saucer.\nQ: ")
    for room, expected in ((newest - 1, 0), (newest, newest)):
        (_, read), answer = told(asked, besides + room)
        assert answer.question_tokens == alone.question_tokens + expected
        assert "What was it?" not in read


def test_a_question_with_turns_leaves_the_memory_as_it_was() -> None:
    """Asking changes nothing, whatever was asked before."""
    torch.manual_seed(0)
    _, once = told(question("a"))
    (_, _), dialogue = told(question("b", earlier=EARLIER))
    assert dialogue.context_tokens == once.context_tokens
    assert dialogue.as_of == once.as_of
