"""Timestamps: stream time as text in front of a frame's tokens, so that the language model can read it and say it.

Qwen3-VL and others interleave such texts with their frames. Here a text is part of its frame: same time, same number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from livevlm.backbone import TextCodec

# The longest text that room is kept for: 99:59:59.
_MOST = (99, 59, 59)


class Timestamps:
    """Stream times as embedded text. max_tokens: the most tokens that one takes.

    Most tokenizers make longer texts of hours beyond 9; room is kept for the longest text up to 99:59:59. A time whose
    text needs more tokens gets none: a frame without its time misleads nobody, a frame that does not fit ends the stream.
    """

    def __init__(self, codec: TextCodec, embed: Callable[[Sequence[int]], Tensor]) -> None:
        """embed: token ids -> embeddings (N, hidden)."""
        self._codec, self._embed = codec, embed
        self.max_tokens = longest(codec)

    def embeds(self, pts_s: float) -> Tensor:
        """The text of a stream time: (T, hidden), T at most `max_tokens`, 0 where the text is longer than that."""
        ids = self._codec.encode(clock_text(pts_s))
        tokens = self._embed(ids)
        return tokens if len(ids) <= self.max_tokens else tokens[:0]


def clock_text(pts_s: float) -> str:
    """Stream seconds, from 0, as hours, minutes and whole seconds: 0:12:05. Rounded down: a second not over is not said."""
    assert 0 <= pts_s < math.inf, pts_s
    minutes, seconds = divmod(int(pts_s), 60)
    return _text((minutes // 60, minutes % 60, seconds))


def longest(codec: TextCodec) -> int:
    """The most tokens of a text up to 99:59:59.

    Each number is tried with the others held, and what each adds at most is added up: exact where no token crosses a
    colon, without encoding 360 000 texts.
    """
    held = len(codec.encode(_text(_MOST)))
    more = 0
    for place, most in enumerate(_MOST):
        texts = (_text((*_MOST[:place], number, *_MOST[place + 1 :])) for number in range(most + 1))
        more += max(len(codec.encode(text)) for text in texts) - held
    return held + more


def _text(clock: Sequence[int]) -> str:
    hours, minutes, seconds = clock
    return f"{hours}:{minutes:02d}:{seconds:02d}"
