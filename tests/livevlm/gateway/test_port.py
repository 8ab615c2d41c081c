"""Where a gateway may listen, and the command that has it listen."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trustme

from livevlm.cli import main
from livevlm.errors import ConfigError, ListenFailed
from livevlm.gateway.port import Port

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's own token takes part."""
    for name in ("LIVEVLM_TOKEN", "LIVEVLM_TOKEN_FILE", "LIVEVLM_SERVER", "LIVEVLM_CA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({}, "--token-file and --tls-cert with --tls-key"),
        ({"token": "t"}, "give --tls-cert with --tls-key"),
        ({"tls_cert": "c", "tls_key": "k"}, "give --token-file"),
        ({"token": "", "allow_insecure": True}, "the token is empty"),
        ({"tls_cert": "c", "allow_insecure": True}, "both --tls-cert and --tls-key"),
    ],
)
def test_only_with_a_token_and_tls_beyond_this_machine(wishes: dict[str, Any], said: str) -> None:
    """The daemon's own rule: nobody opens it to a network by mistake."""
    with pytest.raises(ConfigError, match=said):
        Port(host="0.0.0.0", port=0, **wishes)


def test_on_the_loopback_nothing_is_needed() -> None:
    """Nor elsewhere, where it is meant; the token is not shown."""
    Port(host="127.0.0.1", port=0)
    Port(host="0.0.0.0", port=0, allow_insecure=True)
    assert "s3cret" not in repr(Port(host="localhost", port=0, token="s3cret"))


def test_a_port_that_is_taken_is_an_error() -> None:
    """It says so, and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = Port(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(ListenFailed, match=r"in use.*--listen"):
            port.bind()


def test_a_port_with_tls_shows_its_certificate(tmp_path: Path) -> None:
    """And its URL says that it does; a file that cannot be used is an error before anything is listened on."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    port = Port(host="::1", port=0, tls_cert=str(cert), tls_key=str(key))
    assert port.tls() is not None
    assert port.url(7) == "https://[::1]:7/v1"
    broken = Port(host="::1", port=0, tls_cert=str(key), tls_key=str(key))
    with pytest.raises(ConfigError, match="no certificate"):
        broken.tls()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--listen", "0.0.0.0:0"), "opens the gateway to the network"),
        (("--max-requests", "0"), "at least 1"),
        (("--server", "ws://localhost:1", "--ca", "a.pem"), "wss://"),
        (("--token-file", "/nowhere"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_told_at_once(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """A mistake on the command line is exit code 2 and a sentence."""
    assert main(["gateway", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "module", "library", "extra"),
    [("gateway", "serving", "uvicorn", "http"), ("mcp", "mcpserver", "mcp", "mcp")],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    module: str,
    library: str,
    extra: str,
) -> None:
    """Whoever installed without it is told the command that brings it."""
    monkeypatch.delitem(sys.modules, f"livevlm.gateway.{module}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    assert main([verb]) == 2
    said = capsys.readouterr().err
    assert f"{library} is not installed" in said
    assert f"pip install 'livevlm[{extra}]'" in said


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    """It says where it listens, answers there, and ends well on SIGTERM; a daemon need not be there yet, which is said."""
    words = ("gateway", "--listen", "127.0.0.1:0", "--server", "127.0.0.1:1")
    with subprocess.Popen(
        [sys.executable, "-m", "livevlm", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if line.startswith("livevlm: "))
        url = ready.split()[-1].removesuffix("/v1")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/healthz", timeout=60) as response:
            assert response.status == 200
        missed = next(line for line in process.stderr if "no daemon answers" in line)
        assert "requests are refused until then" in missed
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(60) == 0
