"""What is seen of a stream whose packets are damaged on their way."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from livevlm.bench.rtsp import RtspServer
from livevlm.bench.scenery import scenery
from streams.address import parse_address
from streams.clip import encode_clip
from streams.container import ContainerSource
from streams.source import SourceOptions
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Corrupted, Rule, as_it_is

FPS, KEYFRAME_EVERY = 50, 20


def once(rule: Corrupted) -> Rule:
    """A rule that is over when it has changed a packet."""
    changed: list[bool] = []

    def apply(packet: bytes) -> list[bytes]:
        after = [packet] if changed else rule(packet)
        if after != [packet]:
            changed.append(True)
        return after

    return apply


@pytest.fixture
def server() -> RtspServer:
    """A camera whose pictures have several packets each."""
    images = list(scenery((320, 192), 60))
    return RtspServer(encode_clip(images, FPS, KEYFRAME_EVERY, bit_rate=1_000_000))


def read(server: RtspServer, rule: Rule, count: int) -> tuple[list[bytes], Counter[str]]:
    """The pixels of so many frames, seen through the rule; and what was lost, by reason."""
    lost: Counter[str] = Counter()
    options = SourceOptions(read_timeout_s=20, on_drop=lambda reason: lost.update([reason]))
    with FaultProxy(server.port) as proxy:
        proxy.apply(lambda: rule)
        url = f"rtsp://127.0.0.1:{proxy.port}/cam"
        with ContainerSource(parse_address(url), name="cam", options=options) as source:
            frames = [frame for _, frame in zip(range(count), source, strict=False)]
    return [frame.image.tobytes() for frame in frames], lost


def test_nothing_smeared_is_shown_after_a_damaged_picture(server: RtspServer) -> None:
    """What refers to a damaged picture is as wrong as that one: the next keyframe is waited for, and no longer."""
    with server:
        clean, _none = read(server, as_it_is, 60)
        seen, lost = read(server, once(Corrupted(31)), 45)
    assert lost["corrupt"] >= 1
    assert set(seen) <= set(clean), "a picture that was never taken"
    places = [clean.index(pixels) for pixels in seen]
    breaks = [place for before, place in pairwise(places) if place != (before + 1) % 60]
    assert [place % KEYFRAME_EVERY for place in breaks] == [0]
