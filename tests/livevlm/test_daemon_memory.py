"""A daemon's memory from outside, on real sources, a real socket and a real folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from livevlm.client import connect
from livevlm.daemon import Daemon
from livevlm.errors import ConfigError
from livevlm.messages import TimeRange
from livevlm.stored import stored_sizes
from tests.livevlm.service.test_pages import request
from tests.livevlm.test_daemon import configuration, running, video, wait_for


def test_what_was_forgotten_stays_forgotten(tmp_path: Path) -> None:
    """Searched, looked at and forgotten over the socket while the daemon runs; after it has stopped its folder holds the
    rest, and the next daemon remembers that.
    """
    config = configuration(
        f"streams.hall.url={video(tmp_path / 'a.mp4')}",
        "streams.hall.speed=max",
        "ingest.fps=10",
        "memory.short_term_frames=4",
        "memory.budget_tokens=96",
        f"server.state_dir={tmp_path / 'state'}",
    )
    with running(config) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "ended" and s["hall"].frames_encoded == 30)
        asyncio.run(forget_the_middle(address))
    (stored,) = stored_sizes(tmp_path / "state", None)
    assert (stored.tokens["archive"], stored.pictures) == (20 * 16, 20)
    # The same folder again: a recording that was watched to its end is not watched again, so what is forgotten stays away.
    with running(config) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "ended" and s["hall"].frames_received == 0)

        async def look() -> None:
            port = address.split("/")[2]
            assert (await request(port, "/v1/frames/hall/15.jpg")).status == 404
            assert (await request(port, "/v1/frames/hall/25.jpg")).status == 200
            async with connect(address) as client:
                (size,) = await client.memory_stats()
                assert size.tokens["archive"] == 20 * 16

        asyncio.run(look())


async def forget_the_middle(address: str) -> None:
    """The second second of three."""
    port = address.split("/")[2]
    async with connect(address) as client:
        (size,) = await client.memory_stats()
        assert (size.pictures, size.tokens["archive"]) == (30, 30 * 16)
        assert size.disk_bytes > 0
        found = await client.search("a cup", limit=30)
        assert found.spans
        answer = await client.ask("what?")
        for one in (*found.spans, *answer.evidence):
            assert one.picture is not None
            picture = await request(port, f"/v1/frames/hall/{one.picture}.jpg")
            assert (picture.status, picture.body[:2]) == (200, b"\xff\xd8")
        by_time = await request(port, "/v1/frames/hall?at=1.5")
        assert by_time.body == (await request(port, "/v1/frames/hall/15.jpg")).body
        done = await client.forget(TimeRange(from_s=0.95, to_s=1.95))
        assert (done.archive_tokens, done.frames) == (10 * 16, 10)
        assert (await request(port, "/v1/frames/hall/15.jpg")).status == 404
        assert (await client.memory_stats())[0].pictures == 20
        assert all(not 0.95 <= one.from_s <= 1.95 for one in (await client.search("a cup")).spans)


def test_the_memory_of_a_recording_that_is_gone_can_still_be_asked(tmp_path: Path) -> None:
    """A new recording that is not there is a mistake; one that was watched before, and deleted since, keeps no daemon from
    starting.
    """
    file = tmp_path / "a.mp4"
    state = f"server.state_dir={tmp_path / 'state'}"
    hall = (f"streams.hall.url={video(file)}", "streams.hall.speed=max", "ingest.fps=10")
    with running(configuration(*hall, state)) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "ended" and s["hall"].frames_encoded == 30)
    file.unlink()
    with running(configuration(*hall, state)) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "failed")

        async def ask() -> None:
            async with connect(address) as client:
                assert (await client.ask("what?")).evidence

        asyncio.run(ask())
    other = (f"streams.yard.url={file}", "ingest.fps=10")
    with pytest.raises(ConfigError, match=r"yard.*no such file"):
        Daemon(configuration(*other, state), environ={}).__enter__()
