"""Every fault, on real sockets, between the real reader and the small RTSP server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from livevlm.bench.rtsp import RtspServer
from streams.backoff import Backoff
from streams.clip import Clip, encode_clip
from streams.doorbell import reachable
from streams.reading import ReaderOptions
from streams.source import SourceOptions
from tests.faults.proxy import FaultProxy
from tests.faults.suite import FAULTS, Fault, Rig, play
from tests.faults.watch import Watch, watching
from tests.streams.pictures import many

SOON = Backoff(first_s=0.05, longest_s=0.1)
# Short where being patient is what takes the time; else generous, for the machine may be busy.
HASTY = ReaderOptions(
    fps=1000,
    backoff=SOON,
    knock_s=0.02,
    stall_timeout_s=1.0,
    source=SourceOptions(open_timeout_s=1.0, read_timeout_s=1.0),
    reachable=partial(reachable, timeout_s=0.2),
)
PATIENT = ReaderOptions(fps=1000, backoff=SOON, knock_s=0.02, stall_timeout_s=3.0)
UNDISTURBED = ReaderOptions(fps=1000, stall_timeout_s=60, source=SourceOptions(read_timeout_s=60))
# What a busy machine may hold up a stream that has no fault.
OTHERS_GAP_S = 10.0


@pytest.fixture(scope="module")
def clip() -> Clip:
    return encode_clip(many(60), 50, b_frames=2)


@pytest.fixture(scope="module")
def server(clip: Clip) -> Iterator[RtspServer]:
    with RtspServer(clip) as server:
        yield server


@pytest.fixture(scope="module")
def changing(clip: Clip) -> Iterator[RtspServer]:
    """A camera that is switched between two sizes."""
    smaller = encode_clip((image[:64, :96] for image in many(30)), 50)
    with RtspServer(clip.then(smaller)) as server:
        yield server


@pytest.fixture(scope="module")
def others(clip: Clip) -> Iterator[tuple[Watch, ...]]:
    """Streams of another server, watched all the time."""
    with RtspServer(clip, cameras=2) as server, ExitStack() as stack:
        yield tuple(stack.enter_context(watching(url, UNDISTURBED)) for url in server.urls)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_fault(
    fault: Fault, server: RtspServer, changing: RtspServer, others: tuple[Watch, ...]
) -> None:
    """Noticed as what it is, or sat through; frames flow again, number and time go on; other streams never notice."""
    camera = changing if fault.changing else server
    with (
        FaultProxy(camera.port) as proxy,
        watching(f"rtsp://127.0.0.1:{proxy.port}/cam", HASTY if fault.breaks else PATIENT) as watch,
    ):
        turn = play(fault, Rig(proxy, camera, watch, others))
        if fault.changing:
            assert turn.sizes == {(96, 128), (64, 96)}
    assert turn.others_gap_s < OTHERS_GAP_S
