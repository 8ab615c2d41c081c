"""The corpus: what the tokenizer learns from it."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
from transformers import PreTrainedTokenizerFast

from livevlm.models.checkpoint import SHAPES
from livevlm.models.tokenizer import build_tokenizer
from livevlm.training.corpus import CLOCK, corpus
from livevlm.training.past import NO_CLOCK, NOT_SEEN
from livevlm.training.present import NOT_IN_VIEW, NUMBERS
from streams.scene import COLOURS, KINDS


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """As training builds it."""
    return build_tokenizer(corpus(), SHAPES["glance"].vocab, CLOCK)


def test_every_time_takes_three_tokens() -> None:
    """Up to 9:59:59, alone and in an answer: so all frames of a stream are equally long, and a time is copied part by part."""
    times = [
        f"{hours}:{minutes:02d}:{seconds:02d}"
        for hours, minutes, seconds in product(range(10), range(60), range(60))
    ]
    batch = tokenizer().backend_tokenizer.encode_batch_fast(times, add_special_tokens=False)
    encoded = [one.ids for one in batch]
    assert {len(ids) for ids in encoded} == {3}
    assert len({tuple(ids) for ids in encoded}) == 36_000
    for time, ids in list(zip(times, encoded, strict=True))[::977]:
        assert tokenizer()(f"at {time}", add_special_tokens=False)["input_ids"][-3:] == ids
        assert tokenizer().decode(ids) == time


@pytest.mark.parametrize(
    "text",
    [
        *(f" {word}" for word in (*COLOURS, *(kind for kind in KINDS if " " not in kind))),
        *("no", "left", "right", "up", "down", *NUMBERS),
    ],
)
def test_the_words_of_answers_are_tokens(text: str) -> None:
    """A colour, a kind, a number, a direction is one token: what a frame shows is said in one step, not spelt."""
    length = len(tokenizer()(text, add_special_tokens=False)["input_ids"])
    assert length == 1


def test_all_that_is_said_comes_back() -> None:
    """Encoded and decoded, questions and answers are what they were; the vocabulary has the size that the model has."""
    for text in (*corpus(4), NOT_IN_VIEW, NOT_SEEN, NO_CLOCK, "what is écrit là?"):
        ids = tokenizer()(text, add_special_tokens=False)["input_ids"]
        assert tokenizer().decode(ids) == text
    assert len(tokenizer()) <= SHAPES["glance"].vocab


def test_the_corpus_is_the_same_each_time() -> None:
    """A checkpoint's token ids must be those of the run that goes on from it; every type has its wordings in it."""
    assert corpus(6) == corpus(6)
    assert not any(set(line) & set("{}[]|") for line in corpus(6))
    assert len(corpus(6)) > len(corpus(5)) > 20 * 5
