"""Rules: what a faulty camera or network does to RTP packets on their way. One instance for each connection.

A rule is given a packet with its framing inside the TCP connection (RFC 2326, 10.12) and gives back what is sent instead.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

FRAMING_BYTES = 4
HEADER_BYTES = 12
PAYLOAD_AT = FRAMING_BYTES + HEADER_BYTES
CLOCK_HZ = 90_000
Rule = Callable[[bytes], list[bytes]]


def is_media(packet: bytes) -> bool:
    """Whether it is RTP; reports (RTCP) go over the channel with the odd number."""
    return packet[1] % 2 == 0 and len(packet) > PAYLOAD_AT


def as_it_is(packet: bytes) -> list[bytes]:
    """Nothing happens to it."""
    return [packet]


class Corrupted:
    """Of every `every` packets one has bytes of its payload flipped."""

    def __init__(self, every: int = 7) -> None:
        self._every, self._count = every, 0

    def __call__(self, packet: bytes) -> list[bytes]:
        if not is_media(packet):
            return [packet]
        self._count += 1
        if self._count % self._every:
            return [packet]
        body = bytearray(packet)
        for place in range(PAYLOAD_AT + 2, len(body), 5):
            body[place] ^= 0xA5
        return [bytes(body)]


class Gaps:
    """Of every `every` packets one is lost; the numbers of the others tell."""

    def __init__(self, every: int = 9) -> None:
        self._every, self._count = every, 0

    def __call__(self, packet: bytes) -> list[bytes]:
        self._count += is_media(packet)
        return [] if is_media(packet) and self._count % self._every == 0 else [packet]


class Torn:
    """Of every `every` packets one loses its last bytes, so that the framing of what follows is out of step."""

    def __init__(self, every: int = 40) -> None:
        self._every, self._count = every, 0

    def __call__(self, packet: bytes) -> list[bytes]:
        self._count += 1
        return [packet[:-3]] if self._count % self._every == 0 else [packet]


class WithoutB:
    """Pictures that no other one refers to are not sent, and the numbers go on as if they had never been."""

    def __init__(self) -> None:
        self._left_out = 0

    def __call__(self, packet: bytes) -> list[bytes]:
        if not is_media(packet):
            return [packet]
        # nal_ref_idc, also in the indicator of a fragment; parameter sets and keyframes never have 0 there.
        if packet[PAYLOAD_AT] & 0x60 == 0 and packet[PAYLOAD_AT] & 31 in (1, 28):
            self._left_out += 1
            return []
        body = bytearray(packet)
        (number,) = struct.unpack_from(">H", body, FRAMING_BYTES + 2)
        struct.pack_into(">H", body, FRAMING_BYTES + 2, (number - self._left_out) & 0xFFFF)
        return [bytes(body)]


class Shifted:
    """The camera's time jumps by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._ticks = round(seconds * CLOCK_HZ)

    def __call__(self, packet: bytes) -> list[bytes]:
        return [_restamped(packet, self._ticks)] if is_media(packet) else [packet]


class Wrapped:
    """The 32 bits of the time stamps run over `after_s` seconds behind the first packet."""

    def __init__(self, after_s: float = 0.5) -> None:
        self._after = round(after_s * CLOCK_HZ)
        self._ticks: int | None = None

    def __call__(self, packet: bytes) -> list[bytes]:
        if not is_media(packet):
            return [packet]
        if self._ticks is None:
            self._ticks = 2**32 - self._after - stamp_of(packet)
        return [_restamped(packet, self._ticks)]


def stamp_of(packet: bytes) -> int:
    """A packet's time stamp in ticks."""
    (stamp,) = struct.unpack_from(">I", packet, FRAMING_BYTES + 4)
    return int(stamp)


def _restamped(packet: bytes, ticks: int) -> bytes:
    body = bytearray(packet)
    struct.pack_into(">I", body, FRAMING_BYTES + 4, (stamp_of(packet) + ticks) & 0xFFFFFFFF)
    return bytes(body)
