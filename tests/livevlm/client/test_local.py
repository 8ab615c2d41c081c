"""A daemon in this process: no port, the same client; and a package that costs nothing until it is used."""

from __future__ import annotations

import ast
import asyncio
import threading
from pathlib import Path

import pytest

import livevlm
from livevlm.client.twin import TOO_SLOW, attached, local, local_sync
from livevlm.errors import ConfigError, ModelNotFound, NoFramesYet, ServerUnreachable
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import FakeService
from tests.livevlm.service.serving import on_loop
from tests.livevlm.test_daemon import configuration, video
from tests.test_architecture import run_python

TOY = {
    "LIVEVLM_MODEL__NAME": "toy",
    "LIVEVLM_MODEL__THREADS": "1",
    "LIVEVLM_ANSWER__MAX_TOKENS": "4",
}


@on_loop
async def test_a_recording_is_asked_about_without_a_port(tmp_path: Path) -> None:
    """From a file to an answer with evidence; a watch looks, too; afterwards no thread is left."""
    before = threading.active_count()
    url = video(tmp_path / "a.mp4")
    config = configuration(f"streams.hall.url={url}", "streams.hall.speed=max", "ingest.fps=10")
    async with local(config) as client:
        watching = client.watch("a star", threshold=1e-9, cooldown=0)
        assert (await anext(watching)).change == "triggered"
        await client.subscribe("stream")
        while (await client.status()).streams[0].state != "ended":
            await anext(client.changes())
        answer = await client.ask("what?", last=2)
        assert answer.evidence
        assert client.model == "toy"
    assert threading.active_count() <= before + 1  # asyncio's own helper goes with its loop


def test_also_without_asyncio_and_from_a_file(tmp_path: Path) -> None:
    """Streams beside those of a file; what cannot be answered is the error that it is."""
    file = tmp_path / "livevlm.toml"
    file.write_text('version = 1\n[streams.none]\nurl = "rtsp://127.0.0.1:1/x"\n')
    with local_sync(file, streams={"live": "test:?live=1"}, environ=TOY) as client:
        assert sorted(client.streams) == ["live", "none"]
        with pytest.raises(NoFramesYet):
            client.ask("what?", stream="none")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (("streams.a.url=gopher://x",), ConfigError),
        (("streams.a.url=/not/there.mp4",), ConfigError),
        (("model.name=/nowhere",), ModelNotFound),
    ],
)
@on_loop
async def test_what_cannot_be_started_is_told(
    settings: tuple[str, ...], error: type[Exception]
) -> None:
    """As by `livevlm serve`."""
    with pytest.raises(error):
        async with local(configuration(*settings), environ={}):
            pass
    with pytest.raises(ValueError, match="names its streams itself"):
        async with local(configuration(), streams={"a": "test:"}):
            pass


@on_loop
async def test_a_service_that_dies_is_told() -> None:
    """Whoever waits learns it: nobody else would end the process here."""
    with FakeService() as service:
        async with attached(service, ServerOptions(notice_s=0.01)) as client:
            reply = client.ask("hold")
            await anext(reply)
            service.is_ready = False
            with pytest.raises(ServerUnreachable, match="model's thread"):
                await reply


@on_loop
async def test_a_fault_of_the_service_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is a bug, and seen where the client is left; whoever waits is told before."""
    with FakeService() as service:
        monkeypatch.setattr(service, "submit", lambda question, sink: 1 / 0)

        async def asking() -> None:
            async with attached(service, ServerOptions()) as client:
                with pytest.raises(ServerUnreachable, match="fault"):
                    await client.ask("what?")

        with pytest.raises(ZeroDivisionError):
            await asking()


@on_loop
async def test_what_is_not_read_is_bounded_here_too() -> None:
    """As a slow client of the port: it is closed."""
    with FakeService() as service:
        async with attached(service, ServerOptions(max_outgoing_bytes=2000)) as client:
            with pytest.raises(ServerUnreachable, match=TOO_SLOW):
                await asyncio.gather(*[client.ask("many 300") for _ in range(2)])


def test_importing_livevlm_costs_nothing() -> None:
    """Neither the model's libraries nor a websocket are loaded until they are asked for."""
    heavy = "{'torch', 'transformers', 'websockets', 'pydantic', 'numpy', 'asyncio'}"
    code = f"import livevlm, sys; print('heavy:', {heavy} & set(sys.modules))"
    assert "heavy: set()" in run_python(code)
    code = (
        "import livevlm, sys; livevlm.connect; print('heavy:', {'torch', 'av'} & set(sys.modules))"
    )
    assert "heavy: set()" in run_python(code)


def test_the_door_offers_what_type_checkers_are_told() -> None:
    """The table of names and its stub say the same, and every name is there."""
    stub = ast.parse((Path(livevlm.__file__).parent / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    told = {alias.name: node.module for node in imports for alias in node.names}
    for name, module in told.items():
        if module == "livevlm":
            assert getattr(livevlm, name).__name__ == f"livevlm.{name}"
        else:
            assert f"livevlm.{livevlm._HOMES[name]}" == module
            assert getattr(livevlm, name) is not None
    assert set(told) == {*livevlm._HOMES, *livevlm._MODULES}
    with pytest.raises(AttributeError, match="nonsense"):
        _ = livevlm.nonsense
