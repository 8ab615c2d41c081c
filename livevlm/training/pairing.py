"""Which pairs of kind and colour training shows, and which it never does."""

from __future__ import annotations

from streams.scene import COLOURS, KINDS, PAIRS

# Every eleventh pair of kind and colour is never shown in training.
UNSEEN = tuple(
    (kind, colour)
    for kind, colour in PAIRS
    if (KINDS.index(kind) + 3 * list(COLOURS).index(colour)) % 11 == 0
)
SEEN = tuple(pair for pair in PAIRS if pair not in UNSEEN)
