"""What `livevlm doctor` finds, check by check, and as a command."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from livevlm.checkup import compute, machine, video, wishes
from livevlm.checkup.finding import Finding
from livevlm.cli import doctor, main
from livevlm.config import Config, ServerConfig
from livevlm.configfile import stream_settings
from livevlm.models.checkpoint import SHAPES
from livevlm.models.present import describe
from streams.abilities import Abilities, abilities

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own LIVEVLM_ variables take part."""
    for name in [name for name in os.environ if name.startswith("LIVEVLM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_finding_that_is_not_well_names_the_way_out() -> None:
    """And one that is well has none."""
    with pytest.raises(ValueError, match="way out"):
        Finding("gpu", "fault", "none")
    with pytest.raises(ValueError, match="way out"):
        Finding("gpu", "ok", "one", "buy one")


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (machine.python((3, 10)), "fault", "3.11"),
        (machine.python((3, 11)), "ok", ""),
        (machine.hardware(1 << 30), "warning", "1.0 GiB"),
        (machine.hardware(8 << 30), "ok", "8.0 GiB"),
        (machine.clock(NOW - timedelta(days=20_000), True), "fault", "1971"),
        (machine.clock(NOW, False), "warning", "not synchronised"),
        (machine.clock(NOW, None), "ok", "nobody"),
        (machine.faiss({"faiss-cpu", "faiss-gpu"}), "fault", "uninstall both"),
        (machine.faiss({"torch"}), "fault", "livevlm[cpu]"),
        (machine.faiss({"torch", "faiss-cpu"}), "ok", "faiss-cpu 1."),
        (machine.webcams(["/dev/video0"], lambda _: False), "warning", "usermod"),
        (machine.webcams(["/dev/video0"], lambda _: True), "ok", "/dev/video0"),
        (machine.webcams([], lambda _: True), "ok", "none"),
        (machine.display({}), "ok", "DISPLAY is not set"),
        (machine.display({"DISPLAY": ":7"}), "ok", ":7"),
        (compute.gpu(["A", "B"], built_for="13", driver=True, device="auto"), "ok", "A, B"),
        (compute.gpu(["A"], built_for="13", driver=True, device="cuda:1"), "fault", "cuda:1"),
        (compute.gpu(None, built_for=None, driver=False, device="auto"), "ok", "CPU alone"),
        (compute.gpu(None, built_for=None, driver=True, device="auto"), "warning", "CUDA build"),
        (compute.gpu(None, built_for="13", driver=False, device="cuda"), "fault", "no NVIDIA"),
        (compute.gpu(None, built_for="13", driver=True, device="cpu"), "warning", "nvidia-smi"),
    ],
)
def test_what_is_found_of_the_machine(found: Finding, verdict: str, said: str) -> None:
    """Each side of each check."""
    assert found.verdict == verdict
    assert said in f"{found.found} {found.way_out}"


def test_protocols_that_the_video_library_lacks_are_named() -> None:
    """What nobody built in cannot be opened, whatever the camera; what all builds have is found."""
    versions, protocols = video.judge(Abilities("18", "8.1", ("rtsp", "http", "https", "rtmp")))
    assert (versions.verdict, versions.found) == ("ok", "PyAV 18, FFmpeg 8.1")
    assert (protocols.verdict, protocols.found) == (
        "warning",
        "rtsp, rtmp, http, https; not rtmps, srt",
    )
    assert {"rtsp", "rtmp", "http"} <= set(abilities().protocols)


def test_the_port(taken: int) -> None:
    """Free, taken, perhaps by the daemon itself, or none of ours."""
    free = wishes.port(ServerConfig(listen="127.0.0.1:0"))
    used = wishes.port(ServerConfig(listen=f"127.0.0.1:{taken}"))
    other = wishes.port(ServerConfig(listen="192.0.2.1:80", allow_insecure=True))
    assert [one.verdict for one in (free, used, other)] == ["ok", "warning", "fault"]
    assert "it is in use" in used.found
    assert "--listen" in other.way_out


def test_files_of_access_are_checked(tmp_path: Path) -> None:
    """A token's file that is empty, a certificate that is not there."""
    (tmp_path / "token").write_text("s3cret")
    (tmp_path / "empty").write_text("")
    good = wishes.access(ServerConfig(token_file=str(tmp_path / "token")))
    assert (good.verdict, good.found) == ("ok", "a token, no TLS")
    for wrong in (
        ServerConfig(token_file=str(tmp_path / "empty")),
        ServerConfig(tls_cert="/nowhere.pem", tls_key="/nowhere.pem"),
    ):
        assert wishes.access(wrong).verdict == "fault"


def test_the_state_directory(tmp_path: Path) -> None:
    """Not there yet is fine; on a file it cannot be; and the archives must find room."""

    def found(place: str, disk_mb: int = 16) -> Finding:
        sections = {"server": {"state_dir": place}, "memory": {"archive_disk_mb": disk_mb}}
        streams = {"streams": {"a": {"url": "test:"}}}
        return wishes.state(Config.model_validate({**sections, **streams}))

    (tmp_path / "file").write_text("")
    assert found("").verdict == "ok"
    assert found(str(tmp_path / "new" / "deep")).verdict == "ok"
    assert not (tmp_path / "new").exists()
    assert found(str(tmp_path / "file")).verdict == "fault"
    assert found(str(tmp_path), disk_mb=1 << 40).verdict == "warning"


@pytest.mark.parametrize(
    ("table", "verdict", "said"),
    [
        ({"url": "test:"}, "ok", "test:"),
        ({"url": __file__}, "ok", "test_checkup.py"),
        ({"url": "/nowhere.mp4"}, "fault", "no such file"),
        ({"url": "gopher://me:hunter2@x"}, "fault", "gopher"),
        ({"url_env": "NOT_SET"}, "fault", "NOT_SET"),
        ({"url_env": "CAMERA"}, "fault", "rtsp://***@127.0.0.1:1/x does not answer"),
        ({"url": "srt://host:1"}, "ok", "without opening"),
    ],
)
def test_streams_are_rung_at(table: dict[str, str], verdict: str, said: str) -> None:
    """No credentials are shown, and nothing is opened."""
    environ = {"CAMERA": "rtsp://me:hunter2@127.0.0.1:1/x"}
    found = wishes.stream("a", stream_settings("a", table), environ)
    assert (found.name, found.verdict) == ("stream a", verdict)
    assert said in found.found
    assert "hunter2" not in str(found)


def test_a_stream_that_answers(taken: int) -> None:
    """An open port is enough where no protocol can be asked for."""
    settings = stream_settings("a", {"url": f"http://127.0.0.1:{taken}/x.m3u8"})
    assert wishes.stream("a", settings, {}).verdict == "ok"


def test_a_model_is_described_by_its_configuration() -> None:
    """The bundled one as it is."""
    assert f"{SHAPES['glance'].layers} layers" in describe("bundled")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a check; exit code 6 where there is a fault, though the rest is well; the table says the way out."""
    words = ("--set", "server.listen=127.0.0.1:0", "--set", "streams.a.url=/nowhere.mp4")
    assert main(["doctor", "--json", *words]) == 6
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    verdicts = {line["name"]: line["verdict"] for line in lines}
    assert {name for name, verdict in verdicts.items() if verdict == "fault"} == {"stream a"}
    assert {"python", "torch", "gpu", "video", "protocols", "faiss", "model", "port"} <= set(
        verdicts
    )
    file = tmp_path / "my.toml"
    file.write_text("version = 1\n[memory]\nbudget = 5\n")
    assert main(["doctor", "-c", str(file)]) == 6
    table = capsys.readouterr().out
    assert "did you mean budget_tokens" in table
    assert table.startswith("CHECK")


def test_a_library_that_cannot_be_loaded_is_a_fault_that_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is when a doctor is called."""
    load = doctor.load_module

    def broken(name: str) -> ModuleType:
        if name in ("livevlm.checkup.compute", "livevlm.checkup.weights", "memory.index"):
            raise ImportError("libcudart.so: cannot open shared object file")
        return load(name)

    monkeypatch.setattr(doctor, "load_module", broken)
    assert main(["doctor", "--json", "--set", "server.listen=127.0.0.1:0"]) == 6
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    faults = [line for line in lines if line["verdict"] == "fault"]
    assert [line["name"] for line in faults] == ["compute", "search", "weights"]
    assert all("libcudart" in line["found"] and "install" in line["way_out"] for line in faults)
    assert "python" in {line["name"] for line in lines}
