"""Pictures over HTTP: by number and by time, and clear words where there is none."""

from __future__ import annotations

import pytest

from livevlm.messages import Look, TimeRange
from livevlm.service import frames
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import JPEG, evidence
from tests.livevlm.service.serving import ask, joined, on_loop, running
from tests.livevlm.service.test_pages import request


@on_loop
async def test_the_thumbnail_of_evidence_can_be_fetched() -> None:
    """What an answer names is a picture, as bytes, and no cache keeps it."""
    async with running() as where, joined(where) as peer:
        await peer.send(ask("what?"))
        told = (await peer.until("response.evidence"))[-1]["evidence"][0]["thumbnail"]
        answer = await request(where.address, told)
        head = await request(where.address, told, method="HEAD")
    assert evidence("front").picture == 4
    assert (answer.status, answer.body) == (200, JPEG)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.get_all("Content-Length") == [str(len(JPEG))]
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(JPEG)))


@pytest.mark.parametrize(
    ("at", "time"),
    [
        ("4", TimeRange(from_s=1.5, to_s=6.5)),
        ("2026-09-21T14:13:23Z", TimeRange(from_s=1790000000.5, to_s=1790000005.5, utc=True)),
    ],
)
@on_loop
async def test_a_time_is_looked_at(at: str, time: TimeRange) -> None:
    """Stream time or UTC."""
    async with running() as where:
        answer = await request(where.address, f"/v1/frames/front?at={at}")
        assert (answer.status, answer.body) == (200, JPEG)
        assert where.service.errands == [Look(stream="front", time=time)]


@on_loop
async def test_the_newest_picture_needs_no_number() -> None:
    """A dashboard shows what is there now; a stream's name may hold anything."""
    async with running("a b") as where:
        answer = await request(where.address, "/v1/frames/a%20b/newest.jpg")
        nameless = await request(where.address, "/v1/frames//newest.jpg")
        assert (answer.status, answer.body, nameless.status) == (200, JPEG, 404)
        assert where.service.errands == [Look(stream="a b")]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/frames/front/5.jpg", 404, b"forgotten"),
        ("/v1/frames/nowhere/4.jpg", 404, b"nowhere"),
        ("/v1/frames/front", 404, b"at=TIME"),
        ("/v1/frames/", 404, b"at=TIME"),
        ("/v1/frames/front/four.jpg", 404, b"at=TIME"),
        ("/v1/frames/front/4.png", 404, b"at=TIME"),
        ("/v1/frames/front/../4.jpg", 404, b"at=TIME"),
        ("/v1/frames/front/99999999999999999999.jpg", 404, b"at=TIME"),
        ("/v1/frames/front?at=noon", 400, b"at=TIME"),
        ("/v1/frames/front?at=nan", 400, b"at=TIME"),
        ("/v1/frames/front?at=", 404, b"at=TIME"),
    ],
)
@on_loop
async def test_what_is_not_kept_is_said(path: str, status: int, said: bytes) -> None:
    """404 with a reason, or how to ask."""
    async with running() as where:
        answer = await request(where.address, path)
    assert (answer.status, said in answer.body) == (status, True)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@on_loop
async def test_pictures_need_the_token() -> None:
    """They show what a camera saw."""
    async with running(options=ServerOptions(token="s3cret")) as where:
        refused = await request(where.address, "/v1/frames/front/4.jpg")
        errands = list(where.service.errands)
        given = await request(
            where.address, "/v1/frames/front/4.jpg", "Authorization: Bearer s3cret"
        )
    assert (refused.status, errands, given.status) == (401, [], 200)


@on_loop
async def test_a_model_that_is_not_ready_or_too_busy_is_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No browser waits for ever, and the server goes on."""
    async with running() as where, joined(where) as peer:
        where.service.is_ready = False
        loading = await request(where.address, "/v1/frames/front/4.jpg")
        where.service.is_ready = True
        monkeypatch.setattr(frames, "WAIT_S", 0.01)
        await peer.ask("hold")
        busy = await request(where.address, "/v1/frames/front/4.jpg")
        where.service.release()
        await peer.until("response.done")
        monkeypatch.setattr(frames, "WAIT_S", 30.0)
        answer = await request(where.address, "/v1/frames/front/4.jpg")
    assert (loading.status, busy.status, answer.status) == (503, 503, 200)
    assert b"busy" in busy.body
