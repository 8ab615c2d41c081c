"""The pages on the server's port, and who is let in: tokens, origins, host names."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from livevlm.service.access import Gate
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import stream_status
from tests.livevlm.service.serving import joined, on_loop, running

PATHS = ["/v1", "/readyz", "/metrics", "/v1/status", "/v1/realtime", "/nowhere"]


@dataclass(frozen=True)
class Got:
    """An HTTP answer."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def request(address: str, path: str, *headers: str, method: str = "GET") -> Got:
    """One HTTP request, spoken by hand; it carries a Host header unless one is given."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"{method} {path} HTTP/1.1", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.append(f"Host: {address}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, _, rest = head.partition(b"\r\n")
    return Got(int(status.split()[1]), BytesParser().parsebytes(rest), body)


@on_loop
async def test_health_is_degraded_not_dead_when_a_camera_is_down() -> None:
    """/healthz always answers 200 while the loop lives; what it says follows the streams and the model."""
    async with running("front", "back") as where:
        well = await request(where.address, "/healthz")
        where.service.statuses[1] = stream_status("back", state="reconnecting")
        camera_down = await request(where.address, "/healthz")
        where.service.statuses[1] = stream_status("back", state="ended")
        ended = await request(where.address, "/healthz")
        where.service.is_ready = False
        loading = await request(where.address, "/healthz")
    answers = [well, camera_down, ended, loading]
    assert [answer.status for answer in answers] == [200, 200, 200, 200]
    told = [answer.json()["status"] for answer in answers]
    assert told == ["healthy", "degraded", "healthy", "degraded"]


@on_loop
async def test_readiness_follows_the_model_and_the_stopping() -> None:
    """/readyz is 503 while questions cannot be answered, and tells each stream's state and age."""
    async with running() as where, joined(where) as peer:
        ready = await request(where.address, "/readyz")
        where.service.is_ready = False
        loading = await request(where.address, "/readyz")
        await peer.send({"type": "response.create", "response": {}})
        refused = (await peer.event())["error"]
        where.service.is_ready = True
        await peer.ask("hold")
        drain = asyncio.create_task(where.server.drain(30))
        await peer.until("session.going_away")
        stopping = await request(where.address, "/readyz")
        where.service.release()
        await drain
    assert [answer.status for answer in (ready, loading, stopping)] == [200, 503, 503]
    assert (ready.json()["ready"], ready.json()["status"]) == (True, "healthy")
    assert ready.json()["streams"]["front"]["state"] == "live"
    assert ready.json()["streams"]["front"]["frame_age_s"] >= 0
    assert (loading.json()["ready"], loading.json()["status"]) == (False, "unhealthy")
    assert (refused["type"], refused["code"]) == ("server_error", "model_loading")


@on_loop
async def test_the_status_tells_everything_known_of_the_streams() -> None:
    """/v1/status holds what the websocket's stream.listed holds, for those who only speak HTTP."""
    async with running("front", "back") as where, joined(where) as peer:
        answer = await request(where.address, "/v1/status")
        await peer.send({"type": "stream.list", "event_id": "mine"})
        listed = await peer.event()
    status = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert status["info"] == {"version": "0.0.test", "model": "fake"}
    assert (status["ready"], status["status"]) == (True, "healthy")
    assert status["streams"] == listed["streams"]
    assert (listed["ready"], listed["client_event_id"]) == (True, "mine")
    assert [stream["name"] for stream in status["streams"]] == ["front", "back"]


@on_loop
async def test_metrics_are_served_in_the_text_format() -> None:
    """/metrics parses with Prometheus' own parser and holds the streams."""
    async with running() as where:
        answer = await request(where.address, "/metrics")
    families = {family.name for family in text_string_to_metric_families(answer.body.decode())}
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {"livevlm_ws_connections", "livevlm_stream_up"} <= families


@on_loop
async def test_the_front_page_says_what_is_where() -> None:
    """Who opens the address in a browser is shown the dashboard, who asks for /v1 what else there is."""
    async with running() as where:
        page = await request(where.address, "/?from=a+browser")
        index = await request(where.address, "/v1")
    assert (page.status, index.status) == (200, 200)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"0.0.test" in index.body
    assert b"/v1/realtime" in index.body


@on_loop
async def test_requests_for_anything_else_are_answered_plainly() -> None:
    """Unknown paths, other methods, HEAD, a websocket's path without one, broken paths and requests."""
    async with running() as where:
        missing = await request(where.address, "/v1/realtimes")
        deleting = await request(where.address, "/v1/status", method="DELETE")
        head = await request(where.address, "/v1/status", method="HEAD")
        plain = await request(where.address, "/v1/realtime")
        broken = await request(where.address, "//[")
        elsewhere = await request(where.address, "/v1/chat/completions", "Upgrade: websocket")
    assert (missing.status, b"/v1/realtime" in missing.body) == (404, True)
    assert (deleting.status, deleting.headers["Allow"]) == (405, "GET, HEAD")
    assert (head.status, head.body, int(head.headers["Content-Length"]) > 2) == (200, b"", True)
    assert plain.status == 426
    assert (broken.status, elsewhere.status) == (400, 404)


@on_loop
async def test_a_request_with_a_body_is_refused_and_the_server_lives() -> None:
    """Nothing takes a body here; whoever sends one does no harm."""
    async with running() as where:
        reader, writer = await asyncio.open_connection(*where.address.split(":"))
        writer.write(b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
        assert b" 200 " not in await reader.read()
        writer.close()
        assert (await request(where.address, "/healthz")).status == 200


@pytest.mark.parametrize("path", PATHS)
@on_loop
async def test_a_token_is_needed_everywhere_but_for_health(path: str) -> None:
    """With a token set, every path but /healthz answers 401 to whoever has none, or a wrong one."""
    async with running(options=ServerOptions(token="s3cret")) as where:
        answers = [
            await request(where.address, path, *headers)
            for headers in (
                (),
                ("Authorization: Bearer wrong",),
                ("Authorization: Bearer",),
                ("Authorization: Basic s3cret",),
                ("Authorization: s3cret",),
                ("Authorization: Bearer s3cret", "Authorization: Bearer s3cret"),
                ("Authorization: Bearer s\xe9cret",),
            )
        ]
        with_token = await request(where.address, path, "Authorization: bearer s3cret")
        healthy = await request(where.address, "/healthz")
    assert [answer.status for answer in answers] == [401] * 7
    assert all(answer.headers["WWW-Authenticate"] == "Bearer" for answer in answers)
    assert all(b"s3cret" not in answer.body for answer in answers)
    assert with_token.status != 401
    assert healthy.status == 200


@pytest.mark.parametrize(
    ("offered", "status"),
    [
        ("livevlm.v1, livevlm.bearer.czNjcmV0", 101),
        ("livevlm.bearer.czNjcmV0,livevlm.v1", 101),
        ("livevlm.v1, livevlm.bearer.d3Jvbmc", 401),
        ("livevlm.v1, livevlm.bearer.", 401),
        ("livevlm.v1, livevlm.bearer.!", 401),
        ("livevlm.v1, livevlm.bearer.czNjcmV0, livevlm.bearer.czNjcmV0", 401),
        ("livevlm.v1", 401),
    ],
)
@on_loop
async def test_a_web_page_shows_its_token_as_a_subprotocol(offered: str, status: int) -> None:
    """Browsers give a websocket no headers: the token comes in base64url, and is not said back."""
    async with running(options=ServerOptions(token="s3cret")) as where:
        reader, writer = await asyncio.open_connection(*where.address.split(":"))
        lines = (
            "GET /v1/realtime HTTP/1.1",
            f"Host: {where.address}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            f"Sec-WebSocket-Protocol: {offered}",
        )
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
    assert int(head.split()[1]) == status
    assert "bearer." not in head
    assert ("Sec-WebSocket-Protocol: livevlm.v1" in head) == (status == 101)


@on_loop
async def test_the_dashboard_is_shown_without_a_token_and_trusts_nobody() -> None:
    """Its files, all of them and nothing beside them; no script but its own, and other origins are not let in."""
    async with running(options=ServerOptions(token="s3cret")) as where:
        page = await request(where.address, "/")
        named = re.findall(r'(?:src|href)="(/dashboard/[^"]+)"', page.body.decode())
        kinds = {name: await request(where.address, name) for name in named}
        beside = await request(where.address, "/dashboard/../pages.py")
        foreign = await request(where.address, "/", "Origin: https://evil.example")
    assert len(named) >= 2
    assert {got.status for got in kinds.values()} == {200}
    assert all(
        got.headers["Content-Type"].startswith(("text/javascript", "text/css", "image/svg"))
        for got in kinds.values()
    )
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in page.body
    assert b"style=" not in page.body
    assert (beside.status, foreign.status) == (404, 403)


@on_loop
async def test_a_websocket_opens_with_the_token_only() -> None:
    """The websocket is behind the same door."""
    async with running(options=ServerOptions(token="s3cret")) as where:
        with pytest.raises(InvalidStatus) as refused:
            await connect(where.url, proxy=None)
        async with joined(where, additional_headers={"Authorization": "Bearer s3cret"}) as peer:
            await peer.ask("let me in?")
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:1", 403),
        ("https://app.example", 200),
        ("http://{address}", 200),
        ("not an origin [", 403),
    ],
)
@on_loop
async def test_only_known_web_pages_are_let_in(origin: str, status: int) -> None:
    """A page of another site must not speak to this machine's daemon through its visitor's browser."""
    options = ServerOptions(allowed_origins=frozenset({"https://app.example"}))
    async with running(options=options) as where:
        origin = origin.format(address=where.address)
        answer = await request(where.address, "/v1/status", f"Origin: {origin}")
        assert answer.status == status
        if status == 403:
            with pytest.raises(InvalidStatus) as refused:
                await connect(where.url, origin=origin, proxy=None)  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403
        else:
            async with joined(where, origin=origin):
                pass


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8765", 200),
        ("[::1]:8765", 200),
        ("app.example", 200),
        ("evil.example:8765", 403),
        ("evil.example.", 403),
        ("[", 403),
    ],
)
@on_loop
async def test_a_name_made_to_point_here_is_not_ours(host: str, status: int) -> None:
    """A page may make its own name point to the loopback; without a token its requests are told by the Host header."""
    options = ServerOptions(allowed_origins=frozenset({"https://app.example"}))
    async with running(options=options) as where:
        answer = await request(
            where.address, "/v1/status", f"Host: {host}", f"Origin: http://{host}"
        )
        plain = await request(where.address, "/v1/status", f"Host: {host}")
    assert (answer.status, plain.status) == (status, status)


def test_a_server_for_others_answers_to_any_name() -> None:
    """Behind another address than the loopback, or with a token, a name is not what protects."""
    host = {"Host": ["camera.example"], "Authorization": ["Bearer s3cret"]}

    def headers(name: str) -> list[str]:
        return host.get(name, [])

    assert Gate(host="0.0.0.0").refusal("/v1/status", headers) is None
    assert Gate(host="127.0.0.1", token="s3cret").refusal("/v1/status", headers) is None
    refused = Gate(host="127.0.0.1").refusal("/v1/status", headers)
    assert refused is not None
    assert refused.status == 403
