"""The model hub, where it cannot be reached: told at once, and what is on this machine is taken. Nothing here leaves it."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from livevlm.errors import ModelNotFound
from livevlm.hub import why_away
from livevlm.models import load_backbone
from tests.livevlm.tiny import checkpoint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor an offline mode of whoever runs the tests takes part."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith("_OFFLINE"):
            monkeypatch.delenv(name)


@pytest.fixture
def closed() -> Iterator[str]:
    """An address at which nobody listens: the port is taken, and no call is answered."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class Refusing(BaseHTTPRequestHandler):
    """A hub that has no front page."""

    def do_HEAD(self) -> None:
        """Says so."""
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of a server that answers, if only with a refusal."""
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_hub_that_answers_is_there_whatever_it_says(
    answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it refuses, its own library explains."""
    monkeypatch.setenv("HF_ENDPOINT", answering)
    assert why_away() is None
    monkeypatch.setenv("HF_ENDPOINT", answering.replace("//", "//me:hunter2@"))
    assert why_away() is None


def test_a_hub_that_cannot_be_reached_is_named_without_its_password(
    closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror's address may hold one."""
    monkeypatch.setenv("HF_ENDPOINT", closed)
    assert why_away() == f"the hub {closed} cannot be reached (Connection refused)"
    monkeypatch.setenv("HF_ENDPOINT", closed.replace("//", "//me:hunter2@"))
    told = f"the hub {closed.replace('//', '//***@')} cannot be reached (Connection refused)"
    assert why_away() == told


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_who_wants_no_hub_is_believed(
    name: str, answering: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables of the hub's own libraries."""
    monkeypatch.setenv("HF_ENDPOINT", answering)
    monkeypatch.setenv(name, "1")
    assert why_away() == f"{name} is set"


def test_a_model_that_cannot_be_fetched_is_one_error_with_the_way_out(
    closed: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the model, the hub, and what to do; no try is logged, for none is made."""
    monkeypatch.setenv("HF_ENDPOINT", closed)
    with caplog.at_level(logging.INFO), pytest.raises(ModelNotFound) as caught:
        load_backbone("nobody/nothing", threads=1)
    for said in ("nobody/nothing", closed, "--model ./MODEL", "HF_HOME"):
        assert said in caught.value.message
    assert caplog.records == []


def test_a_model_in_the_cache_needs_no_hub(closed: str, tmp_path: Path) -> None:
    """It is loaded from there, and the hub is not asked for a single file."""
    model = tmp_path / "hub" / "models--some--model"
    shutil.copytree(checkpoint(), model / "snapshots" / "abc")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    environ = os.environ | {"HF_HOME": str(tmp_path), "HF_ENDPOINT": closed}
    words = ("replay", "test:?duration_s=3", "--ask", "what?", "--model", "some/model", "--verbose")
    done = subprocess.run(
        [sys.executable, "-m", "livevlm", *words, "--set", "answer.max_tokens=2"],
        cwd=ROOT,
        env={name: value for name, value in environ.items() if name != "HF_HUB_CACHE"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[end] what?")
    assert "taken from the hub's cache" in done.stderr
    assert "HEAD" not in done.stderr
    assert "Retrying" not in done.stderr
