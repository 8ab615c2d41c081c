"""What measuring askers takes: a model that talks on, pictures that come when told to, and what a machine can do at best."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from livevlm.backbone import Backbone, TextCodec
from livevlm.bench.filling import random_frames
from livevlm.bench.report import synchronise
from livevlm.decoder import AnswerPasts, Past
from livevlm.engine import EngineStream
from livevlm.metrics import Metrics
from streams import Frame, ReaderStatus

PICTURES = 16
TRIES = 6


class Endless:
    """The backbone given, but that no token ends an answer; `together` False: with a walk for each of several answers."""

    def __init__(self, inner: Backbone) -> None:
        self._inner = inner
        self.name, self.kv, self.rope = inner.name, inner.kv, inner.rope
        self.device, self.dtype = inner.device, inner.dtype
        self.max_positions, self.weight_bytes = inner.max_positions, inner.weight_bytes
        self.frame_size, self.frame_grid, self.own_grid = (
            inner.frame_size,
            inner.frame_grid,
            inner.own_grid,
        )
        self.codec: TextCodec = _Unending(inner.codec)
        self.encode, self.embed, self.logits = inner.encode, inner.embed, inner.logits
        self.together = True

    def forward(self, embeds: Tensor, past: Past) -> Tensor:
        """As the backbone's."""
        if self.together or not isinstance(past, AnswerPasts):
            return self._inner.forward(embeds, past)
        parts = zip(torch.split(embeds, past.lengths), past.pasts, strict=True)
        return torch.cat([self._inner.forward(part, one) for part, one in parts])


class _Unending:
    """A codec without a token that ends an answer."""

    stop_ids = frozenset[int]()

    def __init__(self, inner: TextCodec) -> None:
        self.encode, self.decode, self.layout = inner.encode, inner.decode, inner.layout


class Views:
    """A stream of noise; its pictures come when `show` says so."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._pictures = itertools.cycle(random_frames(PICTURES, size))
        self._count = 0
        self.waiting = 0

    def show(self, count: int) -> None:
        """So many more wait."""
        self.waiting += count

    def take(self, limit: int) -> list[Frame]:
        """Those that wait, at most `limit`; a second lies between two."""
        taken = []
        for picture in itertools.islice(self._pictures, min(limit, self.waiting)):
            at = float(self._count)
            taken.append(replace(picture, index=self._count, pts_s=at, captured_utc=at))
            self._count += 1
        self.waiting -= len(taken)
        return taken

    def stream(self, name: str) -> EngineStream:
        """As the engine sees it."""
        return EngineStream(name, "bench", self.take, self._status, lambda: self.waiting)

    def _status(self) -> ReaderStatus:
        count = self._count
        return ReaderStatus(
            state="live", error_code=None, error=None, received=count, sampled=count, dropped={},
            reconnects=0, last_frame_utc=None, live=True, taken=count,
        )  # fmt: skip


class Stopwatch(Metrics):
    """Metrics that also keep how many seconds each step's decoding took."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded_s: list[float] = []

    def stage(self, name: str, seconds: float) -> None:
        """As any metrics."""
        super().stage(name, seconds)
        if name == "decode":
            self.decoded_s.append(seconds)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the machine can do at best: bytes read and floating-point operations a second."""

    bytes_per_s: float
    flops_per_s: float

    @classmethod
    def measure(cls, backbone: Backbone, clock: Callable[[], float], side: int = 1024) -> Ceiling:
        """By the sum of a large vector and by one large matrix product, in the model's dtype: the best of a few."""
        many = torch.ones(16 * side * side, dtype=backbone.dtype, device=backbone.device)
        a = torch.randn(side, side, device=backbone.device).to(backbone.dtype)

        def least_s(work: Callable[[], Tensor]) -> float:
            spent = []
            for _ in range(TRIES):
                began = clock()
                work()
                synchronise(backbone.device)
                spent.append(clock() - began)
            return min(spent)

        return cls(many.nbytes / least_s(many.sum), 2 * side**3 / least_s(lambda: a @ a))

    def walk_ms(self, backbone: Backbone, contexts: Sequence[int]) -> float:
        """The least that one more token of answers with so many tokens of context each can take: the weights are read once,
        each context's keys and values once.
        """
        kv, size = backbone.kv, backbone.dtype.itemsize
        read = (
            backbone.weight_bytes + sum(contexts) * kv.layers * kv.kv_heads * kv.head_dim * 2 * size
        )
        each = 2 * backbone.weight_bytes / size
        attended = sum(contexts) * kv.layers * kv.heads * kv.head_dim * 4
        return 1000 * max(
            read / self.bytes_per_s, (each * len(contexts) + attended) / self.flops_per_s
        )
