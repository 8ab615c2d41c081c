"""Streaming detokenisation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livevlm.detokenize import Detokenizer
from livevlm.models.tokenizer import build_tokenizer
from livevlm.toy import ByteCodec

CODEC = ByteCodec()


def pieces(ids: list[int]) -> list[str]:
    """What comes out, id by id, and at the end."""
    detokenizer = Detokenizer(CODEC.decode)
    return [*(detokenizer.push(number) for number in ids), detokenizer.end()]


@given(st.text())
def test_the_pieces_make_the_text_and_none_is_half_a_character(text: str) -> None:
    """Whatever the text, byte by byte: nothing is lost, nothing doubled, no piece shows a broken character."""
    given_out = pieces(CODEC.encode(text))
    assert "".join(given_out) == text
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in given_out)


def test_a_character_comes_with_its_last_byte() -> None:
    """Three bytes of an emoji give nothing; the fourth gives it whole."""
    assert pieces(CODEC.encode("a🎈")) == ["a", "", "", "", "🎈", ""]


@given(st.lists(st.integers(0, 255), max_size=40))
def test_bytes_that_are_no_text_never_hold_up_the_rest(ids: list[int]) -> None:
    """A model may say nonsense: it comes out as U+FFFD, and what follows still comes."""
    given_out = pieces([*ids, *CODEC.encode("....")])
    assert "".join(given_out).endswith("....")


def test_spaces_between_words_survive() -> None:
    """A byte-level tokenizer decodes a lone word without its space; in the stream it is there."""
    tokenizer = build_tokenizer(["a red star and a blue star"] * 3, 300)
    detokenizer = Detokenizer(lambda ids: str(tokenizer.decode(list(ids))))
    ids = tokenizer("a red star and a blue star")["input_ids"]
    assert (
        "".join([*(detokenizer.push(number) for number in ids), detokenizer.end()])
        == "a red star and a blue star"
    )
