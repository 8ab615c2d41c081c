"""Evaluation: a yes-or-no question put to the newest frames, in one pass, leaving no trace."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from livevlm.answer import Answering
from livevlm.backbone import Backbone, TextCodec
from livevlm.chat import ChatLayout
from livevlm.errors import ConfigError
from livevlm.ingest import StreamIngest
from livevlm.messages import AsOf, Question
from livevlm.models import load_backbone
from livevlm.reducer import make_reducer
from livevlm.remembering import MemoryRecipe
from livevlm.sample import read_sample
from livevlm.toy import ByteCodec, ToyBackbone
from livevlm.vision import FrameEncoder
from livevlm.watching.board import judge_of
from livevlm.watching.evaluation import Verdicts, evaluate, verdicts
from memory import StreamMemory
from streams import Frame
from tests.livevlm.tiny import frames


def remembered(model: Backbone, shown: Sequence[Frame], **recipe: int) -> StreamMemory:
    """The memory of some frames, taken in one by one."""
    prompt = model.codec.layout("").before_video
    reducer = make_reducer(model.own_grid, tokens=0, similarity=0.0)
    memory = MemoryRecipe(**recipe).build(
        model, prompt=prompt, frame_tokens=reducer.most, chunk_frames=1, folder=None
    )
    ingest = StreamIngest(
        model, memory, FrameEncoder(model, reducer, 0), score_queries=32, stage=lambda *_: None
    )
    for frame in shown:
        ingest.add([frame])
    return memory


class OneLetter(ByteCodec):
    """A tokenizer that begins everything alike."""

    def encode(self, text: str) -> list[int]:
        return [65, *text.encode()]


def test_the_beginnings_of_yes_and_no_are_told_apart() -> None:
    """In every spelling; a space alone, with which both may begin, is neither."""
    assert verdicts(ByteCodec()) == Verdicts(tuple(sorted(b"yY")), tuple(sorted(b"nN")))


def test_a_tokenizer_without_a_difference_is_refused() -> None:
    """Better than a probability that means nothing."""
    with pytest.raises(ConfigError, match="cannot be watched"):
        verdicts(OneLetter())


def test_the_probability_is_of_yes_against_no_alone() -> None:
    """Whatever else the model would rather say takes no part; spellings add up."""
    said = Verdicts((1, 2), (3,))
    logits = torch.tensor([50.0, 1.0, 1.0, 1.0])
    assert said.probability(logits) == pytest.approx(2 / 3)
    assert said.probability(torch.tensor([0.0, -1e4, -1e4, 0.0])) == 0.0
    assert said.probability(torch.tensor([0.0, 0.0, 1e4, 0.0])) == 1.0


def test_evaluating_leaves_the_memory_bit_identical() -> None:
    """As asking does."""
    model = ToyBackbone()
    memory = remembered(model, frames(12, size=(64, 64)), budget_tokens=64, short_term_frames=4)
    before = [part.clone() for part in (memory.context().keys, memory.context().values)]
    facts = memory.state()[0]
    judge_of(model, model.codec.layout(""))(memory, "is there a star?")
    assert all(
        torch.equal(*pair)
        for pair in zip(before, (memory.context().keys, memory.context().values), strict=True)
    )
    assert memory.state()[0] == facts


def test_nothing_is_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch is about now: the long-term tier and the archive take no part, whatever they hold and cost."""
    model = ToyBackbone()
    memory = remembered(model, frames(12, size=(64, 64)), budget_tokens=64, short_term_frames=4)
    assert memory.tiers.long > 0

    def searched(*_: object) -> None:
        raise AssertionError("the memory was searched")

    monkeypatch.setattr(memory, "recall", searched)
    assert 0 < judge_of(model, model.codec.layout(""))(memory, "is there a star?") < 1


def test_an_evaluation_is_the_first_token_of_an_answer() -> None:
    """Where all that is remembered is short-term, it is what asking the same would begin with."""
    model = ToyBackbone()
    memory = remembered(model, frames(3, size=(64, 64)), budget_tokens=64, short_term_frames=4)
    layout: ChatLayout = model.codec.layout("")
    codec: TextCodec = model.codec
    question = Question(id="q", stream="cam", text="is there a star?", max_tokens=1)
    answering = Answering(model, question, layout, asked=0.0, clock=lambda: 0.0)
    answering.begin(memory, AsOf(stream_s=2.0, utc=2.0), flushed=0.0, retrieved=lambda _: None)
    assert answering._next is not None
    said = verdicts(codec)
    assert evaluate(model, memory, layout, said, question.text) == pytest.approx(
        said.probability(answering._next), rel=1e-5
    )


def test_the_bundled_model_knows_what_is_in_view() -> None:
    """Over the sample's first scenes: yes to what is there, no to what is gone or was never there."""
    model = load_backbone("bundled", device="cpu", dtype="auto", threads=0)
    sample = read_sample()
    pictures = [one for number, one in enumerate(sample.pictures()) if number % 20 == 5][:6]
    shown = [
        Frame("cam", number, 2.0 * number, 2.0 * number, picture)
        for number, picture in enumerate(pictures)
    ]
    judge = judge_of(model, model.codec.layout(""))
    early = remembered(model, shown[:3])
    late = remembered(model, shown)
    assert judge(early, "is there a red star in view?") > 0.8
    assert judge(late, "is there a red star in view?") < 0.2
    assert judge(late, "is there a green circle in view?") > 0.8
    assert judge(late, "is there a pink heart in view?") < 0.2
