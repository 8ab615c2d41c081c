"""Thrift: which packets need not be decoded.

A camera sends 15 or 25 pictures a second, and one of them is looked at. A picture needs those before it back to its keyframe,
and nothing behind it. So packets wait, encoded, until a picture is due: then they are decoded with it, in one go, at the moment
it arrives. Those that wait when the next keyframe comes are needed by nobody and are let go. The picture is the same one, at
the same moment, as if all had been decoded: nothing is looked at later for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from streams.nal import Kind
from streams.source import Decode

P = TypeVar("P")

# What waits is decoded when there is more of it: a stream without keyframes must not fill the memory.
MOST_PACKETS = 512
MOST_BYTES = 32 << 20
# So many packets without a keyframe, and a stream of which only keyframes were wanted is decoded after all.
KEYFRAMES_AT_LEAST = 600


@dataclass(frozen=True, slots=True)
class Arrival(Generic[P]):
    """A packet that came: what it is, whether it can be decoded alone, its presentation stamp in seconds if it has one, and its
    length in bytes.
    """

    packet: P
    kind: Kind
    keyframe: bool
    stamp_s: float | None
    size: int


class Thrift(Generic[P]):
    """Takes packets in the order they come and says which to decode now. One for each opening of a source.

    decode: "all" lets everything through, "keyframes" only what can be decoded alone, "auto" what is needed for pictures that
    are due. due: asked about a picture that is not yet decoded, by its time in seconds since the opening and whether it is a
    keyframe. held: told of a packet that came and is not decoded now, while all is well: where decoding gives no pictures, it
    is not told. skipped: told of a packet that never will be decoded.
    """

    def __init__(
        self,
        decode: Decode,
        *,
        due: Callable[[float, bool], bool],
        held: Callable[[], None],
        skipped: Callable[[], None],
    ) -> None:
        self._decode = decode
        self._due, self._held, self._skipped = due, held, skipped
        self._waiting: list[P] = []
        self._bytes = 0
        # Whether a picture is waited for: until one comes out all is decoded, as at the beginning and after damage.
        self._wanted = True
        # Packets since the last keyframe, that one not counted.
        self._since_key = 0
        self._last: tuple[float, float] | None = None

    @property
    def alone(self) -> bool:
        """Whether what was admitted last is decoded without what comes next, so that its picture must be fetched at once."""
        return self._decode == "keyframes" and self._since_key == 0

    def admit(self, arrival: Arrival[P]) -> list[P]:
        """The packets to decode now, in order; the one that came is among them, waits, or is let go."""
        if self._decode == "all":
            return [arrival.packet]
        self._since_key = 0 if arrival.keyframe else self._since_key + 1
        if self._decode == "keyframes":
            return self._only_keyframes(arrival)
        if arrival.kind == "key":
            self._let_go()
        if self._wanted or self._is_due(arrival):
            self._wanted = True
            return [*self._take(), arrival.packet]
        self._held()
        if arrival.kind == "spare":
            self._skipped()
            return []
        self._waiting.append(arrival.packet)
        self._bytes += arrival.size
        full = len(self._waiting) >= MOST_PACKETS or self._bytes >= MOST_BYTES
        return self._take() if full else []

    def saw(self, stamp_s: float | None, pts_s: float) -> None:
        """A picture came out, and `keep` was asked about it: its presentation stamp and its time since the opening, in seconds.

        One that comes late, behind others, is still due, so that what follows is decoded too until it is there.
        """
        self._last = None if stamp_s is None else (stamp_s, pts_s)
        self._wanted = False

    def close(self) -> None:
        """Nothing more comes: what waits is never decoded."""
        self._let_go()

    def _only_keyframes(self, arrival: Arrival[P]) -> list[P]:
        if arrival.keyframe or self._since_key > KEYFRAMES_AT_LEAST:
            self._wanted = True
            return [arrival.packet]
        if not self._wanted:
            self._held()
        self._skipped()
        return []

    def _is_due(self, arrival: Arrival[P]) -> bool:
        if arrival.stamp_s is None or self._last is None:
            return True
        ahead_s = arrival.stamp_s - self._last[0]
        if ahead_s < 0:
            return True  # Running back is for the timeline to judge.
        return self._due(self._last[1] + ahead_s, arrival.kind == "key")

    def _take(self) -> list[P]:
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        return waiting

    def _let_go(self) -> None:
        for _ in self._take():
            self._skipped()
