"""Gate: whether a stream looks different enough from what a watch saw last to ask the language model again.

Selective decoding in the spirit of VL-JEPA (arXiv 2512.10942), which decodes where its predicted embeddings shift; here the
embedding is the vision tower's own: the mean of the newest frame's tokens, which ingest has computed anyway. How far it has
moved is |a - b| / |b|, against the embedding of the watch's last evaluation, not of the last frame: slow changes add up.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """change: how far the embedding must have moved; 0 lets everything through. longest_s: after so many seconds a watch is
    evaluated anyway.
    """

    change: float = 0.1
    longest_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a watch was evaluated on: the embedding (hidden), and when its frame arrived, POSIX seconds."""

    embedding: Tensor
    utc: float


def opens(last: Look | None, now: Look, options: GateOptions) -> bool:
    """Whether it is worth looking again. A clock that was put back opens it too."""
    if last is None or not 0 <= now.utc - last.utc < options.longest_s:
        return True
    return moved(last.embedding, now.embedding) >= options.change


def moved(before: Tensor, now: Tensor) -> float:
    """|now - before| / |before| of two embeddings (hidden); infinite where they cannot be compared."""
    size = float(before.norm())
    if before.shape != now.shape or size == 0:
        return float("inf")
    return float((now - before).norm()) / size
