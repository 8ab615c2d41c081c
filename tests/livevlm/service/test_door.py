"""With a token, nothing is shown to whoever has none: every path that there is, however it is written, is walked over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from livevlm.service import pages
from livevlm.service.server import ServerOptions
from tests.livevlm.service.serving import on_loop, running
from tests.livevlm.service.test_pages import request

SERVICE = Path(pages.__file__).parent
TOKEN = "s3cret"
# What is a path in the source, whoever serves it: a new page cannot be forgotten here.
LITERAL = re.compile(r'"(/[A-Za-z0-9_.{}/-]*)"')
OPEN = {"/healthz", "/", *pages.dashboard()}
FRAMES = ("/v1/frames/front/4.jpg", "/v1/frames/front/newest.jpg", "/v1/frames/front?at=12")
TRICKS = (
    *("/healthz/", "/healthz/../v1/status", "//healthz", "/HEALTHZ", "/%68ealthz", "/healthz%00"),
    *("/healthz;/v1/status", "/./v1/status", "/v1/./status", "//v1/status", "/v1/status/", "/V1/status"),
    *("/%76%31/status", "/v1%2Fstatus", "http://x/v1/status", "/metrics?x=/healthz", "/metrics#/healthz"),
    *("/dashboard", "/dashboard%2F..%2Fmetrics", "*", "/..", "/../../etc/passwd", "/v1/frames/../../metrics"),
)  # fmt: skip
SHOWN = (b"front", b"livevlm_", b"fake", b"\xff\xd8")  # a stream, a number, the model, a picture


def written() -> set[str]:
    """Every path that stands in the source of the service."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(SERVICE.glob("*.py"))]
    return {path.partition("{")[0] for text in texts for path in LITERAL.findall(text)}


def all_paths() -> list[str]:
    """What is written, what the index names, what is served by prefix, and ways to write them otherwise."""
    known = written() | set(pages.PATHS) | set(pages.REALTIME) | set(FRAMES)
    below = {f"{path.rstrip('/')}/x" for path in known}
    return sorted((known | below | set(TRICKS) | {"/nowhere"}) - OPEN)


def test_the_walk_knows_the_pages() -> None:
    """The paths are found by themselves, and those that must be among them are."""
    assert {"/v1/status", "/metrics", "/readyz", "/v1/realtime", "/realtime", "/v1"} <= set(
        all_paths()
    )
    assert len(all_paths()) > 30


@on_loop
async def test_no_path_shows_anything_without_the_token() -> None:
    """401 everywhere but for health and the dashboard's own files, whatever the method; no answer holds what was seen."""
    async with running(options=ServerOptions(token=TOKEN)) as where:
        for path in all_paths():
            for headers in ((), ("Authorization: Bearer wrong",)):
                for method in ("GET", "HEAD", "POST", "OPTIONS"):
                    got = await request(where.address, path, *headers, method=method)
                    below_public = path.startswith(("/dashboard/", "/healthz"))
                    assert got.status in ((401, 404, 405) if below_public else (401, 400)), path
                    assert not any(word in got.body for word in SHOWN), path
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        for path in all_paths():
            key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
            assert (await request(where.address, path, *upgrade, key)).status >= 400, path


@on_loop
async def test_with_the_token_the_same_paths_are_served() -> None:
    """What the walk finds closed is closed by the token alone: the index's pages are there for whoever has it."""
    async with running(options=ServerOptions(token=TOKEN)) as where:
        bearer = f"Authorization: Bearer {TOKEN}"
        for path in pages.PATHS:
            got = await request(where.address, path, bearer)
            assert got.status in (200, 404, 426), (
                path
            )  # a prefix alone is nothing; a websocket wants an upgrade
        status = await request(where.address, "/v1/status", bearer)
        metrics = await request(where.address, "/metrics", bearer)
    assert b"front" in status.body
    assert b"livevlm_" in metrics.body


@pytest.mark.parametrize("path", sorted(OPEN))
@on_loop
async def test_what_is_open_shows_nothing_that_was_seen(path: str) -> None:
    """Health and the dashboard's files are the same for everybody, and know no stream, no model and no number."""
    async with running("garden-gate", options=ServerOptions(token=TOKEN)) as where:
        got = await request(where.address, path)
    assert got.status == 200
    assert not any(word in got.body for word in (b"garden-gate", b"livevlm_ws", b"0.0.test"))
