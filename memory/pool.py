"""TokenPool: the preallocated tensors that hold a stream's tokens, in stream order, the same number in every layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from memory.kv import KVBlock, KVShape

STATE = ("keys", "values", "times", "utcs", "frames", "numbers", "patches")


class TokenPool:
    """Keys and values (L, G, capacity, D) of `len(pool)` tokens, with times, utcs, frames, numbers and patches (L, capacity)
    kept on the host.

    After a compaction layers may hold different tokens, but always equally many. A pool that may not grow refuses what
    does not fit; one that may grow doubles.
    """

    def __init__(
        self,
        shape: KVShape,
        capacity: int,
        *,
        grows: bool,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        assert capacity > 0, capacity
        self._shape, self._grows, self._length = shape, grows, 0
        size = (shape.layers, shape.kv_heads, capacity, shape.head_dim)
        # Filling commits the memory now: what will not fit fails at the start, not after hours of stream.
        self._keys = torch.empty(size, dtype=dtype, device=device).zero_()
        self._values = torch.empty_like(self._keys).zero_()
        self._times = torch.zeros(shape.layers, capacity, dtype=torch.float64)
        self._utcs = torch.zeros_like(self._times)
        self._frames = torch.zeros(shape.layers, capacity, dtype=torch.int64)
        self._numbers = torch.zeros_like(self._frames)
        self._patches = torch.zeros_like(self._frames)
        self._appended = 0

    def __len__(self) -> int:
        return self._length

    @property
    def capacity(self) -> int:
        """Tokens that fit without growing."""
        return int(self._keys.shape[2])

    @property
    def appended(self) -> int:
        """How many tokens were ever appended: the number that the next one gets."""
        return self._appended

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values, allocated whether used or not."""
        return self._keys.nbytes + self._values.nbytes

    @property
    def keys(self) -> Tensor:
        """A view (L, G, N, D) of the position-free keys; the next append or compaction may change it."""
        return self._keys[:, :, : self._length]

    @property
    def values(self) -> Tensor:
        """A view (L, G, N, D) of the values; the next append or compaction may change it."""
        return self._values[:, :, : self._length]

    @property
    def times(self) -> Tensor:
        """A view (L, N) of the tokens' stream seconds."""
        return self._times[:, : self._length]

    @property
    def utcs(self) -> Tensor:
        """A view (L, N) of the tokens' POSIX seconds."""
        return self._utcs[:, : self._length]

    @property
    def frames(self) -> Tensor:
        """A view (L, N) of the tokens' frame numbers."""
        return self._frames[:, : self._length]

    @property
    def numbers(self) -> Tensor:
        """A view (L, N) of the tokens' places in the order in which they were appended, dropped ones counted too."""
        return self._numbers[:, : self._length]

    @property
    def patches(self) -> Tensor:
        """A view (L, N): how many tokens of its frame came behind each token. Counted so because frames differ in what
        stands before their picture.
        """
        return self._patches[:, : self._length]

    def append(self, block: KVBlock) -> None:
        """Add the block's tokens, whole frames, at the end."""
        start, stop = self._length, self._length + len(block)
        if stop > self.capacity:
            assert self._grows, f"{stop} tokens do not fit a pool of {self.capacity}"
            self._grow(stop)
        self._keys[:, :, start:stop] = block.keys
        self._values[:, :, start:stop] = block.values
        self._times[:, start:stop] = block.times
        self._utcs[:, start:stop] = block.utcs
        self._frames[:, start:stop] = block.frames
        self._numbers[:, start:stop] = torch.arange(self._appended, self._appended + len(block))
        self._patches[:, start:stop] = _behind(block.frames)
        self._appended += len(block)
        self._length = stop

    def state(self) -> dict[str, Tensor]:
        """Views of all tokens and what is known of them, by name."""
        return {name: getattr(self, name) for name in STATE}

    def restore(self, state: Mapping[str, Tensor], appended: int) -> None:
        """Take over another pool's state, and how many tokens it had seen, in place of what is here. There must be room."""
        length = state["keys"].shape[2]
        assert set(state) == set(STATE), sorted(state)
        if length > self.capacity:
            assert self._grows, f"{length} tokens do not fit a pool of {self.capacity}"
            self._grow(length)
        self._length, self._appended = length, appended
        for name, tensor in state.items():
            getattr(self, name).copy_(tensor)

    def skip_to(self, number: int) -> None:
        """Number the next token so, or higher if it comes to that anyway."""
        self._appended = max(self._appended, number)

    def wipe(self) -> None:
        """Overwrite what dropped tokens left behind them."""
        for tensor in (self._keys, self._values):
            tensor[:, :, self._length :] = 0

    def write(self, places: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put keys and values (L, G, K, D) in place of those at `places` (L, K)."""
        index = places.to(self._keys.device)[:, None, :, None].expand_as(keys)
        self._keys.scatter_(2, index, keys)
        self._values.scatter_(2, index, values)

    def compact(self, start: int, stop: int, keep: Tensor) -> None:
        """Of the tokens start..stop keep those at start + keep (L, M), rising in each layer; what follows moves up."""
        length, dropped = self._length, stop - start - keep.shape[1]
        assert 0 <= start <= stop <= length and dropped >= 0, (start, stop, length, keep.shape)
        rest = torch.arange(stop - start, length - start, device=keep.device).expand(
            keep.shape[0], -1
        )
        source = torch.cat((keep, rest), dim=1) + start
        end = length - dropped
        index = source.to(self._keys.device)[:, None, :, None].expand(
            -1, self._shape.kv_heads, -1, self._shape.head_dim
        )
        # gather makes a copy, so reading and writing do not overlap.
        for tensor in (self._keys, self._values):
            tensor[:, :, start:end] = tensor.gather(2, index)
        for meta in (self._times, self._utcs, self._frames, self._numbers, self._patches):
            meta[:, start:end] = meta.gather(1, source.to(meta.device))
        self._length = end

    def _grow(self, needed: int) -> None:
        capacity = max(needed, 2 * self.capacity)

        def bigger(old: Tensor, dim: int) -> Tensor:
            size = list(old.shape)
            size[dim] = capacity
            new = old.new_zeros(size)
            new.narrow(dim, 0, old.shape[dim]).copy_(old)
            return new

        self._keys, self._values = bigger(self._keys, 2), bigger(self._values, 2)
        self._times, self._utcs = bigger(self._times, 1), bigger(self._utcs, 1)
        self._frames, self._numbers = bigger(self._frames, 1), bigger(self._numbers, 1)
        self._patches = bigger(self._patches, 1)


def equally_many(mask: Tensor) -> Tensor:
    """The places (L, M) where a mask (L, N) holds, rising. Layers that have more of them than others give their newest."""
    count = int(mask.sum(1).min())
    # A stable sort brings each layer's places to the end, in order.
    return mask.long().argsort(dim=1, stable=True)[:, mask.shape[1] - count :]


def _behind(frames: Tensor) -> Tensor:
    """Frame numbers (N,) -> how many tokens of the same frame follow each."""
    _, frame, counts = torch.unique_consecutive(frames, return_inverse=True, return_counts=True)
    behind: Tensor = counts.cumsum(0)[frame] - 1 - torch.arange(len(frames), device=frames.device)
    return behind
