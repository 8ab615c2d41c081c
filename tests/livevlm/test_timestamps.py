"""Stream times as text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import product

import pytest
import torch

from livevlm.chat import ChatLayout
from livevlm.timestamps import Timestamps, clock_text, longest
from livevlm.toy import ByteCodec, ToyBackbone


class PieceCodec:
    """One token a piece that the pattern finds."""

    stop_ids = frozenset[int]()

    def __init__(self, pattern: str) -> None:
        self._pieces = re.compile(pattern)

    def encode(self, text: str) -> list[int]:
        return [len(piece) for piece in self._pieces.findall(text)]

    def decode(self, ids: Sequence[int]) -> str:
        raise NotImplementedError

    def layout(self, system_prompt: str) -> ChatLayout:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("pts_s", "text"),
    [
        (0, "0:00:00"),
        (0.999, "0:00:00"),
        (59.999, "0:00:59"),
        (60.0, "0:01:00"),
        (725.5, "0:12:05"),
        (3599.999, "0:59:59"),
        (3600.0, "1:00:00"),
        (35_999.9, "9:59:59"),
        (36_000.0, "10:00:00"),
        (359_999.0, "99:59:59"),
        (360_000.0, "100:00:00"),
    ],
)
def test_a_time_is_said_in_hours_minutes_and_whole_seconds(pts_s: float, text: str) -> None:
    """Rounded down, hours without padding, minutes and seconds with."""
    assert clock_text(pts_s) == text


@pytest.mark.parametrize("pts_s", [-0.001, -1.0, math.nan, math.inf])
def test_a_time_that_cannot_be_is_a_bug(pts_s: float) -> None:
    """Stream time begins at 0; a text of anything else would be a lie."""
    with pytest.raises(AssertionError):
        clock_text(pts_s)


@pytest.mark.parametrize(
    "pattern", [".", r"59|99|.", r"\d{1,3}|:", r"1\d|:0|\d|:", r"\d+:|\d\d|.", r"[1-9]\d|0[1-9]|."]
)
def test_the_longest_text_is_the_longest_of_all(pattern: str) -> None:
    """However a tokenizer joins digits, no text up to 99:59:59 needs more than is kept for it."""
    codec = PieceCodec(pattern)
    parts = (0, 1, 7, 10, 19, 35, 59)
    times = [
        hours * 3600 + minutes * 60 + seconds
        for hours, minutes, seconds in product(range(100), parts, parts)
    ]
    most = max(len(codec.encode(clock_text(at_s))) for at_s in times)
    assert longest(codec) == most


def test_a_text_is_embedded_as_any_other() -> None:
    """The model reads the rows of its own embedding table."""
    toy = ToyBackbone()
    timestamps = Timestamps(toy.codec, toy.embed)
    assert torch.equal(timestamps.embeds(725.5), toy.embed(toy.codec.encode("0:12:05")))


def test_no_text_is_longer_than_the_room_kept_for_it() -> None:
    """One token more from 10:00:00 on; after 99:59:59 none, for a frame must fit whatever its time."""
    toy = ToyBackbone()
    timestamps = Timestamps(ByteCodec(), toy.embed)
    assert timestamps.max_tokens == 8
    lengths = [len(timestamps.embeds(at_s)) for at_s in (35_999, 36_000, 359_999, 360_000, 1e9)]
    assert lengths == [7, 8, 8, 0, 0]
    assert timestamps.embeds(360_000).shape == (0, 48)
