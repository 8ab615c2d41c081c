"""TLS on the daemon's port: what is shown, whom clients trust, and files that cannot be used."""

from __future__ import annotations

import asyncio
import logging
import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from livevlm.assembly import server_options
from livevlm.cli import main
from livevlm.client import connect
from livevlm.config import Config, ServerConfig
from livevlm.errors import ConfigError, ServerUnreachable
from livevlm.service.server import ServerOptions
from livevlm.service.tls import ailment, client_context, load, server_context
from tests.livevlm.service.serving import Running, on_loop, running

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Files:
    """The PEM files of a certificate, of its key and of its authority."""

    cert: str
    key: str
    ca: str


def files(folder: Path, *, ends: datetime | None = None, begins: datetime | None = None) -> Files:
    """A certificate for 127.0.0.1 of an authority of its own."""
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1", not_after=ends, not_before=begins)
    found = Files(*(str(folder / name) for name in ("cert.pem", "key.pem", "ca.pem")))
    made.cert_chain_pems[0].write_to_path(found.cert)
    made.private_key_pem.write_to_path(found.key)
    authority.cert_pem.write_to_path(found.ca)
    return found


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files that are as they should be."""
    return files(tmp_path_factory.mktemp("pem"))


@asynccontextmanager
async def secure(pem: Files, *, token: str | None = None) -> AsyncIterator[Running]:
    """A server that speaks TLS alone."""
    context = server_context(pem.cert, pem.key)
    async with running(options=ServerOptions(tls=context, token=token)) as where:
        yield where


def secured(pem: Files) -> ServerConfig:
    """The settings that name the files."""
    return ServerConfig(tls_cert=pem.cert, tls_key=pem.key)


@on_loop
async def test_questions_and_pages_go_through_tls(pem: Files) -> None:
    """wss:// and https:// on one port, by the authority's file; the token is still asked for."""
    async with secure(pem, token="s3cret") as where:
        address = f"wss://{where.address}"
        async with connect(address, token="s3cret", ca=pem.ca) as client:
            answer = await client.ask("what?")
        assert answer.status == "completed"
        with pytest.raises(ServerUnreachable, match="token"):
            async with connect(address, ca=pem.ca):
                pass
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=client_context(pem.ca)),
        )
        page = await asyncio.to_thread(opener.open, f"https://{where.address}/healthz", None, 30)
        assert page.status == 200
        page.close()


@on_loop
async def test_a_page_that_came_over_https_may_connect(pem: Files) -> None:
    """The dashboard's own origin is https://host:port now."""
    async with secure(pem) as where:
        reader, writer = await asyncio.open_connection(
            *where.address.split(":"), ssl=client_context(pem.ca)
        )
        host = f"Host: {where.address}\r\nOrigin: https://{where.address}\r\n"
        writer.write(f"GET /v1/status HTTP/1.1\r\n{host}\r\n".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


@on_loop
async def test_whom_a_client_does_not_trust_it_tells_nothing(pem: Files, tmp_path: Path) -> None:
    """The system's authorities do not know ours, nor does another one's file; the way out is named."""
    other = files(tmp_path / "other")
    async with secure(pem) as where:
        for ca in (None, other.ca):
            with pytest.raises(ServerUnreachable, match=r"not trusted .*--ca FILE"):
                async with connect(f"wss://{where.address}", ca=ca, token="s3cret"):
                    pass
        async with connect(f"wss://{where.address}", ca=pem.cert):  # the daemon's own will do
            pass


@on_loop
async def test_the_wrong_scheme_is_told(pem: Files) -> None:
    """With TLS on one side alone, each side learns what to write instead."""
    async with secure(pem) as where:
        with pytest.raises(ServerUnreachable, match="write wss://"):
            async with connect(f"ws://{where.address}"):
                pass
    async with running() as where:
        with pytest.raises(ServerUnreachable, match="write ws://"):
            async with connect(f"wss://{where.address}"):
                pass


@on_loop
async def test_nothing_older_than_tls_1_2_is_spoken(pem: Files) -> None:
    """A client that knows TLS 1.1 at most is refused by the server."""
    context = server_context(pem.cert, pem.key)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    newest = client_context(pem.ca)
    newest.maximum_version = ssl.TLSVersion.TLSv1_2
    async with secure(pem) as where:
        _, writer = await asyncio.open_connection(*where.address.split(":"), ssl=newest)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()


@on_loop
async def test_who_connects_and_says_nothing_does_not_hold_up_the_end(pem: Files) -> None:
    """A connection without a handshake is let go with the rest."""
    async with secure(pem) as where:
        _, writer = await asyncio.open_connection(*where.address.split(":"))
        await where.server.drain(0.1)
        writer.close()


@on_loop
async def test_a_renewed_certificate_is_shown_to_whom_comes_next(
    pem: Files, tmp_path: Path
) -> None:
    """Without a new start; and files that cannot be used leave the old one in force."""
    renewed = files(tmp_path / "renewed")
    context = server_context(pem.cert, pem.key)
    async with running(options=ServerOptions(tls=context)) as where:
        with pytest.raises(ConfigError):
            load(context, renewed.cert, pem.key)
        async with connect(f"wss://{where.address}", ca=pem.ca) as before:
            load(context, renewed.cert, renewed.key)
            async with connect(f"wss://{where.address}", ca=renewed.ca):
                await before.ping()


def test_files_that_cannot_be_used_are_named_with_the_way_out(pem: Files, tmp_path: Path) -> None:
    """Missing, not PEM, mixed up, of another pair, locked: each says so before anything is opened."""
    other = files(tmp_path / "other")
    binary, locked, empty = (tmp_path / name for name in ("binary", "locked", "empty"))
    binary.write_bytes(b"0\x82\x03\xff")
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    empty.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for cert, key, said in (
        ("/nowhere.pem", pem.key, "tls_cert /nowhere.pem: No such file"),
        (pem.cert, "/nowhere.pem", "tls_key /nowhere.pem: No such file"),
        (str(tmp_path), pem.key, "tls_cert .*Is a directory"),
        (str(binary), pem.key, "tls_cert .*no certificate in PEM"),
        (pem.cert, pem.cert, "tls_key .*no private key in PEM"),
        (pem.cert, other.key, "tls_key .*is not the key of"),
        (pem.cert, str(locked), "tls_key .*passphrase.*openssl pkey"),
        (str(empty), pem.key, "cannot be used"),
    ):
        with pytest.raises(ConfigError, match=said):
            server_options(Config(server=ServerConfig(tls_cert=cert, tls_key=key)))
    for ca, said in (("/nowhere.pem", "No such file"), (str(binary), "no certificate in PEM")):
        with pytest.raises(ConfigError, match=said):
            client_context(ca)


@pytest.mark.parametrize(
    ("begins_in", "ends_in", "said"),
    [
        (-10, 300, None),
        (-10, 3.5, "expires in 3 days|expires in 4 days"),
        (-10, -1, "expired"),
        (5, 300, "not yet valid"),
    ],
)
def test_a_certificate_out_of_its_time_is_a_warning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    begins_in: float,
    ends_in: float,
    said: str | None,
) -> None:
    """The daemon starts all the same: its streams are worth more."""
    days = timedelta(days=1)
    pem = files(tmp_path, begins=NOW + begins_in * days, ends=NOW + ends_in * days)
    with caplog.at_level(logging.WARNING):
        options = server_options(Config(server=secured(pem)))
    assert options.tls is not None
    assert bool(caplog.text) == (said is not None)
    if said is not None:
        wrong = ailment(options.tls, pem.cert)
        assert wrong is not None
        assert any(word in wrong for word in said.split("|"))


def test_an_authority_without_tls_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody believes to be protected who is not."""
    assert main(["status", "--server", "ws://127.0.0.1:1", "--ca", "ca.pem"]) == 2
    assert "wss://" in capsys.readouterr().err
