"""The daemon: its parts wired together, in this process, on real sources and a real socket."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import trustme

from livevlm import daemon as daemon_module
from livevlm.assembly import engine_options, server_options
from livevlm.client import connect
from livevlm.config import Config
from livevlm.configfile import load_config
from livevlm.daemon import Daemon
from livevlm.errors import ConfigError, ListenFailed, ModelNotFound, NoFramesYet
from livevlm.layers import from_flag
from livevlm.messages import Answer, StreamStatus
from livevlm.reload import Hands, Reloader
from livevlm.remembering import READERS, RETENTIONS, MemoryRecipe
from livevlm.service.limits import Limits
from livevlm.service.tls import ailment
from streams import Recording

GUARD_S = 60.0


def configuration(*settings: str) -> Config:
    """The toy model on a free port, and whatever else is set."""
    base = ("model.name=toy", "model.threads=1", "server.listen=127.0.0.1:0", "answer.max_tokens=4")
    flags = [from_flag(setting, "test") for setting in (*base, *settings)]
    return load_config(None, environ={}, flags=flags).config


def video(path: Path, seconds: int = 3) -> str:
    """A short recording; gives back its path."""
    with Recording(path, (64, 64), 10) as recording:
        for number in range(10 * seconds):
            recording.write(np.full((64, 64, 3), 8 * number % 256, np.uint8))
    return str(path)


def damaged(folder: Path) -> Path:
    """A file that is no video."""
    path = folder / "damaged.mp4"
    path.write_text("no video")
    return path


@contextmanager
def running(
    config: Config, environ: Mapping[str, str] | None = None
) -> Iterator[tuple[Daemon, str]]:
    """A daemon that serves on a loop of its own, and its address."""
    found: list[str] = []
    ready = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve(daemon: Daemon) -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))

        def on_ready(address: str) -> None:
            found.append(address)
            ready.set()

        await daemon.serve(stop, on_ready=on_ready)

    with Daemon(config, environ=environ or {}) as daemon:
        thread = threading.Thread(target=lambda: asyncio.run(serve(daemon)))
        thread.start()
        try:
            assert ready.wait(GUARD_S)
            yield daemon, found[0]
        finally:
            loop, stop = loops[0]
            loop.call_soon_threadsafe(stop.set)
            thread.join(GUARD_S)
            assert not thread.is_alive()


def wait_for(daemon: Daemon, condition: Callable[[dict[str, StreamStatus]], bool]) -> None:
    """Wait until the streams are as the condition wants them."""
    until = time.monotonic() + GUARD_S
    while not condition({status.name: status for status in daemon.streams()}):
        assert time.monotonic() < until, daemon.streams()
        time.sleep(0.01)


def talk(address: str, text: str, stream: str) -> str:
    """Ask over the socket; how the answer ended."""

    async def session() -> str:
        async with connect(address) as client:
            return (await client.ask(text, stream=stream)).status

    return asyncio.run(session())


def test_a_recording_is_watched_to_its_end_and_asked_about(tmp_path: Path) -> None:
    """From a file over the socket to an answer with evidence; no frame is lost."""
    url = video(tmp_path / "a.mp4")
    config = configuration(f"streams.hall.url={url}", "streams.hall.speed=max", "ingest.fps=10")
    with running(config) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "ended" and s["hall"].frames_encoded == 30)

        async def session() -> None:
            async with connect(address) as client:
                answer = await client.ask("what?")
                assert answer.status in ("completed", "incomplete")
                assert answer.as_of is not None
                assert answer.as_of.stream_s == pytest.approx(2.9, abs=0.05)
                assert answer.evidence
                status = await client.status()
                assert (status.ready, status.model) == (True, "toy")

        asyncio.run(session())


def test_a_stream_that_cannot_be_read_leaves_the_others_alone(tmp_path: Path) -> None:
    """A damaged file fails, an unreachable camera is tried again, the rest answers."""
    settings = (
        f"streams.damaged.url={damaged(tmp_path)}",
        "streams.camera.url=rtsp://me:hunter2@127.0.0.1:1/x",
        "streams.pattern.url=test:?live=1",
    )
    with running(configuration(*settings)) as (daemon, address):
        wait_for(
            daemon,
            lambda s: (
                s["damaged"].state == "failed"
                and s["camera"].error_code == "STREAM_CONNECTION_FAILED"
                and s["pattern"].as_of is not None
            ),
        )
        assert "hunter2" not in str(daemon.streams())
        assert daemon.ready()
        assert talk(address, "what?", "pattern") in ("completed", "incomplete")


def test_a_question_about_a_stream_without_frames_fails_with_the_reason(tmp_path: Path) -> None:
    """The answer says what is wrong with the camera."""
    config = configuration(f"streams.hall.url={damaged(tmp_path)}")
    with running(config) as (daemon, address):
        wait_for(daemon, lambda s: s["hall"].state == "failed")

        async def session() -> None:
            async with connect(address) as client:
                with pytest.raises(NoFramesYet, match="damaged or no video"):
                    await client.ask("what?")

        asyncio.run(session())


def test_open_answers_end_when_the_daemon_stops() -> None:
    """Nobody waits for ever: an answer in progress ends, whole or cancelled, before the connection does."""
    config = configuration("streams.pattern.url=test:?live=1", "answer.max_tokens=100000")
    ended: list[str] = []

    async def session(address: str, asked: threading.Event) -> None:
        async with connect(address) as client:
            reply = client.ask("what?")
            await anext(reply)
            asked.set()
            *_, answer = [event async for event in reply]
            assert isinstance(answer, Answer)
            ended.append(answer.status)

    with running(config) as (daemon, address):
        wait_for(daemon, lambda s: s["pattern"].as_of is not None)
        asked = threading.Event()
        client = threading.Thread(target=lambda: asyncio.run(session(address, asked)))
        client.start()
        assert asked.wait(GUARD_S)
    client.join(GUARD_S)
    assert ended
    assert ended[0] in ("cancelled", "completed", "incomplete")


def test_a_url_comes_from_the_environment_and_is_never_shown() -> None:
    """`url_env` keeps the password out of the configuration, the status and the logs."""
    config = configuration("streams.camera.url_env=CAMERA")
    with running(config, {"CAMERA": "rtsp://me:hunter2@127.0.0.1:1/x"}) as (daemon, _):
        assert daemon.streams()[0].source == "rtsp://***@127.0.0.1:1/x"


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (("streams.a.url_env=NOT_SET",), ConfigError, "streams.a: url_env: .*NOT_SET"),
        (("streams.a.url=gopher://x",), ConfigError, "streams.a: .*gopher"),
        (("streams.a.url=gopher://x", "model.name=/nowhere"), ConfigError, "gopher"),
        (
            ("streams.a.url=/nowhere.mp4", "streams.b.url=test:"),
            ConfigError,
            "a: /nowhere.mp4: .*no such file",
        ),
        (
            ("streams.a.url=dir:/nowhere", "streams.b.url=test:"),
            ConfigError,
            "a: dir:/nowhere: .*no such folder",
        ),
        (("streams.a.url=test:", "model.name=/nowhere"), ModelNotFound, "/nowhere"),
        (("streams.a.url=test:", "model.device=cuda:99"), ConfigError, "cuda:99"),
        (("streams.a.url=test:", "server.token_file=/nowhere"), ConfigError, "token_file"),
        (
            ("streams.a.url=test:", "server.listen=192.0.2.1:80", "server.allow_insecure=true"),
            ListenFailed,
            r"192\.0\.2\.1",
        ),
    ],
)
def test_what_cannot_be_started_is_told_before_anything_runs(
    settings: tuple[str, ...], error: type[Exception], said: str
) -> None:
    """No thread is left behind by a daemon that did not start."""
    before = threading.active_count()
    with pytest.raises(error, match=said), Daemon(configuration(*settings), environ={}):
        pass
    assert threading.active_count() == before


def test_a_dead_model_thread_ends_the_daemon_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A supervisor must start it anew: a daemon that cannot answer must not look alive."""
    seen: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_value))

    async def serve(daemon: Daemon) -> int:
        async with asyncio.timeout(GUARD_S):
            return await daemon.serve(asyncio.Event(), on_ready=lambda _: None)

    with Daemon(configuration("streams.a.url=test:?live=1"), environ={}) as daemon:
        monkeypatch.setattr(daemon._engine, "step", lambda: 1 / 0)
        assert asyncio.run(serve(daemon)) == 1
        assert not daemon.ready()
    assert [type(error) for error in seen] == [ZeroDivisionError]


def test_the_second_signal_forces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one stops gently, the second ends the process on the spot."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    stop = asyncio.Event()
    daemon_module._signalled(15, stop)
    assert stop.is_set()
    assert codes == []
    daemon_module._signalled(15, stop)
    assert codes == [143]


@pytest.mark.parametrize(
    ("began", "now", "stops"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_terminal_that_is_gone_stops_the_daemon(
    monkeypatch: pytest.MonkeyPatch, began: bool, now: bool, stops: bool
) -> None:
    """SIGHUP reloads, but where the terminal it was started at was closed nobody could stop it any more."""
    monkeypatch.setattr(daemon_module, "_at_terminal", lambda: now)
    config = configuration("streams.a.url=test:")
    reloaded = threading.Event()

    def load() -> Config:
        reloaded.set()
        return config

    async def hang_up() -> bool:
        stop = asyncio.Event()
        daemon = Daemon(config, environ={}, reload=load)
        hands = Hands(watched=list, check=lambda *_: None, change=daemon.change, renew=lambda: None)
        daemon._hangup(Reloader(config, load, hands), stop, began)
        return stop.is_set()

    assert asyncio.run(hang_up()) is stops  # its end waits for what was begun
    assert reloaded.is_set() is not stops


def test_a_reload_reads_the_certificate_anew(tmp_path: Path) -> None:
    """A renewed one is in force without a new start; one that cannot be used refuses the reload."""
    for name in ("first", "second"):
        made = trustme.CA().issue_cert("127.0.0.1")
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / name)
    pem = tmp_path / "pem"
    pem.write_bytes((tmp_path / "first").read_bytes())
    files = (f"server.tls_cert={pem}", f"server.tls_key={pem}")
    daemon = Daemon(configuration("streams.a.url=test:", *files), environ={})
    daemon._server_options = server_options(daemon._config)
    tls = daemon._server_options.tls
    assert tls is not None
    pem.write_bytes((tmp_path / "second").read_bytes())
    daemon._renew()
    assert ailment(tls, str(tmp_path / "second")) is None
    assert "clients will refuse it" in str(ailment(tls, str(tmp_path / "first")))
    pem.write_text("nothing")
    with pytest.raises(ConfigError, match="tls_cert"):
        daemon._renew()


def test_every_setting_reaches_its_part() -> None:
    """What the configuration says is what engine and server get; memory's settings have the same names there."""
    settings = (
        "ingest.chunk_frames=7",
        "ingest.batch_frames=21",
        "ingest.tokens_per_frame=9",
        "ingest.similarity=0.5",
        "ingest.timestamps=true",
        "memory.budget_tokens=999",
        "memory.index=exact",
        "answer.system_prompt=Be brief.",
        "answer.max_waiting=3",
        "answer.temperature=0.7",
        "answer.history_turns=6",
        "server.max_message_bytes=2048",
        "server.max_questions_per_client=2",
        "server.max_questions_per_minute=30",
        "server.max_messages_per_s=1.5",
        "server.max_malformed_per_minute=9",
        "server.max_answer_tokens=77",
        "server.max_clients=5",
        "server.allowed_origins=https://a.example",
    )
    config = configuration(*settings)
    engine, server = engine_options(config), server_options(config)
    assert (engine.chunk_frames, engine.tokens_per_frame, engine.similarity) == (7, 9, 0.5)
    assert engine.batch_frames == 21
    assert (engine.system_prompt, engine.max_waiting) == ("Be brief.", 3)
    assert engine.memory == MemoryRecipe(budget_tokens=999, index="exact", timestamps=True)
    assert (server.max_message_bytes, server.max_questions_per_client) == (2048, 2)
    assert server.allowed_origins == {"https://a.example"}
    assert (server.defaults.max_tokens, server.defaults.temperature) == (4, 0.7)
    assert server.defaults.history_turns == 6
    assert server.limits == Limits(
        messages_per_s=1.5,
        malformed_per_minute=9,
        questions_per_minute=30,
        answer_tokens=77,
        clients=5,
    )


@pytest.mark.parametrize("retention", RETENTIONS)
@pytest.mark.parametrize("reader", READERS)
def test_the_configuration_knows_every_kind_of_memory(retention: str, reader: str) -> None:
    """A method that exists can be named in a file."""
    config = configuration(f"memory.retention={retention}", f"memory.reader={reader}")
    assert (config.memory.retention, config.memory.reader) == (retention, reader)


def test_defaults_of_configuration_and_memory_agree() -> None:
    """The same memory, whether it is made from a file or in code."""
    assert engine_options(Config()).memory == MemoryRecipe()
