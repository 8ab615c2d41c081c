"""Streams that come and go while a daemon runs, in this process, on real sources and a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from livevlm import watchlist as watchlist_module
from livevlm.changes import AddStream, Change, Changed, PauseStream, RemoveStream, ResumeStream
from livevlm.client import Client, connect
from livevlm.configfile import stream_settings
from livevlm.daemon import Daemon
from livevlm.errors import (
    ConfigError,
    LiveVLMError,
    NotErased,
    StreamExists,
    StreamNotFound,
    TooManyStreams,
)
from livevlm.intake import Intake
from tests.livevlm.test_daemon import GUARD_S, configuration, running, talk, video, wait_for

LIVE = "test:?live=1&fps=20"
FAST = "ingest.fps=20"


def add(name: str, url: str = LIVE, **settings: object) -> AddStream:
    """The change that adds a stream."""
    return AddStream(name=name, settings=stream_settings(name, {"url": url, **settings}))


def threads() -> set[str]:
    """The names of all threads."""
    return {thread.name for thread in threading.enumerate()}


def change(daemon: Daemon, wanted: Change) -> Changed:
    """Have a change made, and wait for what comes of it."""
    told: list[Changed | LiveVLMError] = []
    done = threading.Event()

    def tell(result: Changed | LiveVLMError) -> None:
        told.append(result)
        done.set()

    daemon.change(wanted, tell)
    assert done.wait(GUARD_S)
    (result,) = told
    if isinstance(result, LiveVLMError):
        raise result
    return result


def on(address: str, session: Callable[[Client], Awaitable[None]]) -> None:
    """Talk to a daemon."""

    async def talking() -> None:
        async with connect(address) as client:
            await session(client)

    asyncio.run(talking())


def test_a_stream_s_life_while_the_daemon_runs() -> None:
    """Added, asked about, paused, resumed, removed, added again; the other stream does not notice."""
    with running(configuration(f"streams.hall.url={LIVE}", FAST)) as (daemon, address):
        added = change(daemon, add("yard"))
        assert added.status is not None
        assert (added.what, added.status.source) == ("added", LIVE)
        wait_for(daemon, lambda s: s["yard"].as_of is not None and s["hall"].as_of is not None)
        assert talk(address, "what?", "yard") in ("completed", "incomplete")
        paused = change(daemon, PauseStream(name="yard"))
        assert paused.status is not None
        assert paused.status.state == "paused"
        wait_for(daemon, lambda s: s["yard"].frames_waiting == 0)
        before = {status.name: status for status in daemon.streams()}
        wait_for(daemon, lambda s: s["hall"].frames_encoded > before["hall"].frames_encoded + 5)
        still = {status.name: status for status in daemon.streams()}["yard"]
        assert still.frames_encoded <= before["yard"].frames_encoded + 1
        assert talk(address, "what?", "yard") in ("completed", "incomplete")
        change(daemon, ResumeStream(name="yard"))
        wait_for(daemon, lambda s: s["yard"].frames_encoded > still.frames_encoded + 5)
        resumed = {status.name: status for status in daemon.streams()}["yard"]
        assert resumed.as_of is not None
        assert still.as_of is not None
        assert resumed.as_of.stream_s > still.as_of.stream_s
        assert "stream-yard" in threads()
        change(daemon, RemoveStream(name="yard"))
        assert "stream-yard" not in threads()
        assert [status.name for status in daemon.streams()] == ["hall"]
        assert b'stream="yard"' not in daemon._metrics.render()
        change(daemon, add("yard"))
        wait_for(daemon, lambda s: s["yard"].as_of is not None)
        assert talk(address, "what?", "hall") in ("completed", "incomplete")


def test_what_cannot_be_done_is_said_and_does_nothing() -> None:
    """A name in use, one too many, none there, an address that cannot be one; no thread and no stream is left of it."""
    config = configuration(f"streams.hall.url={LIVE}", "server.max_streams=2")
    with running(config) as (daemon, _):
        before = threads()
        with pytest.raises(StreamExists, match="'hall'"):
            change(daemon, add("hall"))
        with pytest.raises(ConfigError, match="gopher") as wrong:
            change(daemon, add("yard", "gopher://me:hunter2@x"))
        assert getattr(wrong.value, "param", None) == "url"
        assert "hunter2" not in wrong.value.message
        with pytest.raises(ConfigError, match=r"streams\.yard: /none\.mp4: there is no such file"):
            change(daemon, add("yard", "/none.mp4"))
        for nobody in (
            PauseStream(name="yard"),
            ResumeStream(name="yard"),
            RemoveStream(name="yard"),
        ):
            with pytest.raises(StreamNotFound, match="there are: hall"):
                change(daemon, nobody)
        assert threads() == before
        change(daemon, add("yard"))
        with pytest.raises(TooManyStreams, match=r"server\.max_streams"):
            change(daemon, add("porch"))
        assert [status.name for status in daemon.streams()] == ["hall", "yard"]


def test_a_removed_stream_s_memory_waits_for_its_return(tmp_path: Path) -> None:
    """With a state directory whoever comes under its name goes on with it, in this life of the daemon and in the next."""
    url = video(tmp_path / "a.mp4")
    base = (f"streams.hall.url={LIVE}", "ingest.fps=10", f"server.state_dir={tmp_path / 'state'}")
    recording = add("yard", url, speed="max")
    for life in range(2):
        with running(configuration(*base)) as (daemon, _):
            for turn in range(2):
                change(daemon, recording)
                seen = 30 * (2 * life + turn + 1)
                wait_for(
                    daemon, lambda s: s["yard"].state == "ended" and s["yard"].frames_encoded == 30
                )
                (status,) = (one for one in daemon.streams() if one.name == "yard")
                assert status.memory_tokens["archive"] == seen * 16
                change(daemon, RemoveStream(name="yard"))
    with running(configuration(*base)) as (daemon, _):
        assert [status.name for status in daemon.streams()] == ["hall"], (
            "only the configuration is watched"
        )


def test_a_recording_that_comes_again_with_other_settings_goes_on(tmp_path: Path) -> None:
    """As a reload has it: what was watched is not watched again. One that is removed and added is."""
    url = video(tmp_path / "a.mp4")
    base = (f"streams.hall.url={LIVE}", "ingest.fps=10", f"server.state_dir={tmp_path / 'state'}")
    with running(configuration(*base)) as (daemon, _):
        for for_now, received in ((True, 30), (False, 0), (True, 30)):
            change(daemon, add("yard", url, speed="max"))
            wait_for(
                daemon,
                lambda s, received=received: (  # type: ignore[misc]
                    s["yard"].state == "ended" and s["yard"].frames_encoded == received
                ),
            )
            change(daemon, RemoveStream(name="yard", for_now=for_now))


def test_a_forgotten_stream_is_gone_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the answer comes; also where it was removed before; and where files may be left, that is said."""
    state = tmp_path / "state"
    with running(configuration(f"streams.hall.url={LIVE}", f"server.state_dir={state}")) as (
        daemon,
        _,
    ):
        for _ in range(2):
            change(daemon, add("yard"))
            wait_for(daemon, lambda s: s["yard"].as_of is not None)
            change(daemon, RemoveStream(name="yard"))
            assert (state / "streams" / "yard").exists()
            change(daemon, add("yard"))
            change(daemon, RemoveStream(name="yard", forget=True))
            assert not (state / "streams" / "yard").exists()
        change(daemon, add("yard"))
        change(daemon, RemoveStream(name="yard"))

        def full(*_: object) -> bool:
            raise OSError("no space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(watchlist_module, "erase_stream", full)
            with pytest.raises(NotErased, match="no space left"):
                change(daemon, RemoveStream(name="yard", forget=True))
        assert change(daemon, RemoveStream(name="yard", forget=True)).what == "removed"
        assert not (state / "streams" / "yard").exists()
        with pytest.raises(StreamNotFound):
            change(daemon, RemoveStream(name="yard", forget=True))
        assert (state / "streams" / "hall").exists()


def test_subscribers_hear_of_changes_and_of_what_happens_by_itself(tmp_path: Path) -> None:
    """One client changes streams, the other is told; a recording that ends is told too."""
    url = video(tmp_path / "a.mp4", seconds=1)
    with running(configuration(f"streams.hall.url={LIVE}")) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "live")

        async def session(client: Client) -> None:
            heard: list[tuple[str, str]] = []
            await client.subscribe("stream")
            async with connect(address) as other:
                await other.change(add("yard", url, speed="max"))
                async for changed in client.changes():
                    heard.append((changed.what, changed.name))
                    if changed.status is not None and changed.status.state == "ended":
                        await other.change(RemoveStream(name="yard"))
                    if changed.what == "removed":
                        break
            assert heard[0] == ("added", "yard")
            assert heard[-1] == ("removed", "yard")
            with pytest.raises(StreamNotFound):
                await client.change(PauseStream(name="yard"))

        on(address, session)


def test_a_fault_is_told_and_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked for what met the fault hears of it, whoever comes after is refused; watching and answering go on."""
    seen: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_value))
    with running(configuration(f"streams.hall.url={LIVE}")) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].as_of is not None)
        assert daemon._watchlist is not None
        monkeypatch.setattr(daemon._watchlist, "_build", lambda *_: 1 / 0)
        with pytest.raises(LiveVLMError, match="its log says more"):
            change(daemon, add("yard"))
        daemon._watchlist._thread.join(GUARD_S)
        with pytest.raises(LiveVLMError, match="stopping"):
            daemon.change(PauseStream(name="hall"), lambda _: None)
        assert talk(address, "what?", "hall") in ("completed", "incomplete")
    assert [type(error) for error in seen] == [ZeroDivisionError]


def test_a_stream_that_is_added_while_the_daemon_stops_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between the preparing and the start of its reader: it is told so, its files are closed, no thread stays."""
    at_it, go_on = threading.Event(), threading.Event()
    told: list[Changed | LiveVLMError] = []
    config = configuration(f"streams.hall.url={LIVE}", f"server.state_dir={tmp_path / 'state'}")
    with Daemon(config, environ={}) as daemon:
        assert daemon._watchlist is not None
        build: Callable[..., Intake] = daemon._watchlist._build

        def slowly(*words: object) -> Intake:
            at_it.set()
            assert go_on.wait(GUARD_S)
            return build(*words)

        monkeypatch.setattr(daemon._watchlist, "_build", slowly)
        daemon.change(add("yard"), told.append)
        all_told = threading.Event()

        def last(result: Changed | LiveVLMError) -> None:
            told.append(result)
            all_told.set()

        daemon.change(PauseStream(name="hall"), last)
        assert at_it.wait(GUARD_S)
        stopping = threading.Thread(target=daemon._stop_readers)
        stopping.start()
        stopping.join(GUARD_S)
        go_on.set()
        assert all_told.wait(GUARD_S), "the engine still runs, and yet nobody is watched any more"
    assert [type(one) for one in told] == [LiveVLMError, LiveVLMError]
    assert not {"stream-yard", "stream-hall", "watchlist"} & threads()
