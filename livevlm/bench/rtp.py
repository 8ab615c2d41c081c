"""RTP: encoded pictures cut into packets once, so that sending one again costs little more than copying it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PAYLOAD_BYTES = 1400
CLOCK_HZ = 90_000
SYNC_SOURCE = 7
# What stands before a packet inside a TCP connection: "$", the channel, the packet's length.
FRAMING_BYTES = 4
FRAGMENT = 28


@dataclass(frozen=True, slots=True)
class Packets:
    """One picture as RTP packets, each framed for a TCP connection; sequence numbers and time stamps are left blank.

    framed: all packets, one behind the other. starts: where each begins in it.
    """

    framed: bytes
    starts: tuple[int, ...]

    def stamped(self, sequence: int, stamp: int) -> bytearray:
        """The packets with their numbers, counted from `sequence`, and the picture's time in ticks of 90 kHz."""
        filled = bytearray(self.framed)
        stamp &= 0xFFFFFFFF
        for number, start in enumerate(self.starts):
            place = start + FRAMING_BYTES + 2
            struct.pack_into(">HI", filled, place, (sequence + number) & 0xFFFF, stamp)
        return filled

    def datagrams(self, filled: bytearray) -> Iterator[memoryview]:
        """Each packet for itself, without the framing."""
        view = memoryview(filled)
        for start, end in zip(self.starts, (*self.starts[1:], len(filled)), strict=True):
            yield view[start + FRAMING_BYTES : end]


def packetize(units: Sequence[bytes], payload_bytes: int = PAYLOAD_BYTES) -> Packets:
    """A picture's NAL units (RFC 6184): one packet each, or fragments (FU-A) where a unit is too long."""
    framed, starts = bytearray(), []
    payloads = [payload for nal in units for payload in _payloads(nal, payload_bytes)]
    for number, payload in enumerate(payloads):
        starts.append(len(framed))
        marker = 0x80 if number == len(payloads) - 1 else 0
        header = struct.pack(">BBHII", 0x80, marker | 96, 0, 0, SYNC_SOURCE)
        framed += struct.pack(">cBH", b"$", 0, len(header) + len(payload)) + header + payload
    return Packets(bytes(framed), tuple(starts))


def _payloads(nal: bytes, payload_bytes: int) -> Iterator[bytes]:
    if len(nal) <= payload_bytes:
        yield nal
        return
    indicator, kind, body = (nal[0] & 0xE0) | FRAGMENT, nal[0] & 31, nal[1:]
    pieces = [body[at : at + payload_bytes] for at in range(0, len(body), payload_bytes)]
    for number, piece in enumerate(pieces):
        flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
        yield bytes([indicator, flags | kind]) + piece
