"""The gateway as stock clients meet it: OpenAI's own client, plain HTTP, and a real daemon's port behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import openai
import pytest

from livevlm.client import Client
from livevlm.errors import ServerUnreachable
from livevlm.gateway.asking import Limits
from livevlm.messages import AnswerChunk, TimeRange
from livevlm.service.server import ServerOptions
from tests.livevlm.gateway.doors import NOW, camera, gateway, stock, text, to, user
from tests.livevlm.service.serving import Running, on_loop, running

TOKEN = "s3cret"
FRONT = user(text("a question before, about"), camera("front"))


@asynccontextmanager
async def asked(
    *streams: str, limits: Limits | None = None
) -> AsyncIterator[tuple[Running, openai.AsyncOpenAI]]:
    """A daemon, and the stock client of a gateway before it."""
    async with (
        running(*streams) as where,
        gateway(to(where.address), limits=limits) as url,
        stock(url) as client,
    ):
        yield where, client


def extra(found: Any) -> dict[str, Any]:
    """What is told beyond OpenAI's format."""
    return cast(dict[str, Any], found.model_extra["livevlm"])


@on_loop
async def test_an_answer_is_a_chat_completion() -> None:
    """The stock client reads text, the reason of its end, and usage; evidence stands beside."""
    async with asked() as (_, client):
        found = await client.chat.completions.create(model="fake", messages=[user("what is it?")])
    (choice,) = found.choices
    assert choice.message.content == "You asked: what is it?"
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert (found.object, found.model, found.created) == ("chat.completion", "fake", NOW)
    assert found.id.startswith("chatcmpl-resp_")
    usage = found.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (409, 5, 414)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 400
    told = extra(found)
    assert (told["stream"], told["status"], told["as_of"]["stream_s"]) == (
        "front",
        "completed",
        12.5,
    )
    assert told["evidence"][0]["thumbnail"] == "/v1/frames/front/4.jpg"


@on_loop
async def test_an_answer_comes_in_chunks() -> None:
    """First who speaks and what it is answered from, then the text as it grows, its end, and usage where that is asked for."""
    async with asked() as (_, client):
        stream = await client.chat.completions.create(
            model="fake",
            messages=[user("what is it?")],
            stream=True,
            stream_options={"include_usage": True},
        )
        first, *between, end, usage = [chunk async for chunk in stream]
    assert first.choices[0].delta.role == "assistant"
    assert extra(first)["evidence"][0]["tier"] == "long"
    # Pieces that wait to be sent are joined.
    said = "".join(chunk.choices[0].delta.content or "" for chunk in between)
    assert said == "You asked: what is it?"
    assert (end.choices[0].finish_reason, end.choices[0].delta.content) == ("stop", None)
    assert extra(end)["timings"]["total_ms"] == 70
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.total_tokens == 414
    assert len({chunk.id for chunk in (first, *between, end, usage)}) == 1
    assert first.object == "chat.completion.chunk"


@on_loop
async def test_the_events_end_as_openai_ends_them() -> None:
    """Server-sent events, each a chunk, and [DONE] as the last; no usage where nobody asked for it."""
    body = {"messages": [user("what?")], "stream": True}
    async with (
        running() as where,
        gateway(to(where.address)) as url,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        response = await client.post(f"{url}/chat/completions", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    *chunks, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all("usage" not in json.loads(chunk.removeprefix("data: ")) for chunk in chunks)


@on_loop
async def test_a_part_names_the_camera() -> None:
    """Stream, time, sampling and the rest arrive at the daemon as they were meant."""
    async with asked("front", "yard") as (where, client):
        await client.chat.completions.create(
            model="fake",
            messages=[
                {"role": "system", "content": "Be brief."},
                user(text("who?"), camera("yard")),  # type: ignore[list-item]
            ],
            max_tokens=5,
            temperature=0.5,
            extra_body={"livevlm": {"time": {"from": 5, "to": 8}, "max_evidence": 0}},
        )
        (question,) = where.service.questions
    assert (question.stream, question.text) == ("yard", "Be brief.\n\nwho?")
    assert (question.time, question.max_evidence) == (TimeRange(from_s=5, to_s=8), 0)
    assert (question.max_tokens, question.temperature, question.deadline_s) == (5, 0.5, 120)


@on_loop
async def test_a_chunk_comes_as_soon_as_it_is_made() -> None:
    """Not when the answer is whole."""
    async with asked() as (where, client):
        stream = await client.chat.completions.create(
            model="fake", messages=[user("hold")], stream=True
        )
        first, begun = await anext(stream), await anext(stream)
        where.service.release()
        rest = [chunk.choices[0].delta.content async for chunk in stream]
    assert extra(first)["as_of"]["stream_s"] == 12.5
    assert begun.choices[0].delta.content == "You "
    assert "".join(filter(None, rest)) == "asked: hold"


REFUSALS: list[tuple[dict[str, Any], type[openai.APIStatusError], str]] = [
    ({"messages": [user(text("who?"), camera("attic"))]}, openai.NotFoundError, "stream_not_found"),
    ({"messages": [user("which?")]}, openai.BadRequestError, "invalid_value"),  # of two streams
    ({"messages": [user(" ")]}, openai.BadRequestError, "invalid_value"),
    ({"model": "gpt"}, openai.NotFoundError, "model_not_found"),
    ({"n": 2}, openai.BadRequestError, "unsupported_parameter"),
    (
        {"messages": [user({"type": "image_url", "image_url": {"url": "data:"}})]},
        openai.BadRequestError,
        "unsupported_content",
    ),
    ({"messages": [FRONT, user("full")]}, openai.RateLimitError, "queue_full"),
    ({"messages": [FRONT, user("nothing yet")]}, openai.ConflictError, "no_frames_yet"),
    ({"messages": [FRONT, user("fail")]}, openai.InternalServerError, "out_of_memory"),
]


@pytest.mark.parametrize("streamed", [False, True])
@on_loop
async def test_refusals_are_openais_errors(streamed: bool) -> None:
    """Each with the right status, the daemon's code and its words, streamed or not."""
    usual = {"model": "fake", "messages": [FRONT, user("who?")], "stream": streamed}
    async with asked("front", "yard") as (_, client):
        for question, kind, code in REFUSALS:
            with pytest.raises(kind) as error:
                await client.chat.completions.create(**{**usual, **question})
            assert error.value.code == code
            assert error.value.message


class Breaking:
    """A session whose answer breaks off behind its first words."""

    model = "fake"

    async def ask(self, *_: object, **__: object) -> AsyncIterator[AnswerChunk]:
        """Begin an answer, and lose the connection."""
        yield AnswerChunk(question_id="resp_1", text="A ")
        raise ServerUnreachable("the connection was lost")


@on_loop
async def test_an_answer_that_breaks_off_ends_with_an_error() -> None:
    """When the status has been told already, the error is the last event, which the stock client raises."""

    @asynccontextmanager
    async def dial() -> AsyncIterator[Client]:
        yield cast(Client, Breaking())

    async with gateway(dial) as url, stock(url) as client:
        stream = await client.chat.completions.create(
            model="fake", messages=[user("what?")], stream=True
        )
        first = await anext(stream)
        with pytest.raises(openai.APIError, match="was lost"):
            await anext(stream)
        with pytest.raises(openai.APIStatusError, match="was lost") as whole:
            await client.chat.completions.create(model="fake", messages=[user("what?")])
    assert first.choices[0].delta.content == "A "
    assert whole.value.status_code == 502


@pytest.mark.parametrize("streamed", [False, True])
@on_loop
async def test_who_leaves_takes_the_question_along(streamed: bool) -> None:
    """The daemon does not go on answering nobody."""
    async with asked() as (where, client):
        asking = asyncio.create_task(hold(client, streamed))
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.questions))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.cancelled))
        assert where.service.cancelled == [where.service.questions[0].id]


async def hold(client: openai.AsyncOpenAI, streamed: bool) -> None:
    """Ask for what is not answered until it is released."""
    found = await client.chat.completions.create(
        model="fake", messages=[user("hold")], stream=streamed
    )
    if isinstance(found, openai.AsyncStream):
        async for _ in found:
            pass


@on_loop
async def test_no_more_than_so_many_at_once() -> None:
    """What is over the limit is told to come again, and the place of one that is answered is free."""
    async with asked(limits=Limits(most=1)) as (where, client):
        held = asyncio.create_task(hold(client, False))
        await asyncio.to_thread(where.service.wait_for, lambda: bool(where.service.questions))
        with pytest.raises(openai.RateLimitError) as error:
            await client.chat.completions.create(model="fake", messages=[user("what?")])
        where.service.release()
        await held
        await client.chat.completions.create(model="fake", messages=[user("what?")])
    assert error.value.response.headers["retry-after"] == "1"


@on_loop
async def test_a_body_has_its_bounds() -> None:
    """Too long, no text and no JSON are refused, each with its reason."""
    async with (
        running() as where,
        gateway(to(where.address), limits=Limits(body_bytes=1000)) as url,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        long, binary, broken, nested = [
            await client.post(f"{url}/chat/completions", content=body)
            for body in (b'"' + b"a" * 2000 + b'"', b"\xff{}", b"{", b"[" * 900)
        ]
    assert (long.status_code, long.json()["error"]["code"]) == (413, "request_too_large")
    assert (binary.status_code, broken.status_code, nested.status_code) == (400, 400, 400)
    assert broken.json()["error"]["code"] == "invalid_json"


@on_loop
async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """Whoever holds a request back holds no place for ever."""
    async with running() as where, gateway(to(where.address), limits=Limits(body_s=0.1)) as url:
        host = url.removeprefix("http://").removesuffix("/v1")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()  # to the end: the connection is closed, too
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"within 0.1 s" in answer


@on_loop
async def test_the_model_is_listed() -> None:
    """Programs that offer a choice of models find one, and the streams that it may be asked about."""
    async with asked("front", "yard") as (_, client):
        (model,) = (await client.models.list()).data
        assert (await client.models.retrieve("fake")).id == model.id == "fake"
        assert extra(model)["streams"] == ["front", "yard"]
        with pytest.raises(openai.NotFoundError, match="there is 'fake'"):
            await client.models.retrieve("some/other")


@on_loop
async def test_the_daemons_token_is_asked_for() -> None:
    """One token for both: whoever has it is let in and on; only /healthz is open."""
    async with (
        running(options=ServerOptions(token=TOKEN)) as where,
        gateway(to(where.address, TOKEN), token=TOKEN) as url,
        stock(url, TOKEN) as known,
        stock(url, "wr0ng") as stranger,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        assert (await known.models.list()).data
        with pytest.raises(openai.AuthenticationError) as error:
            await stranger.models.list()
        health = await client.get(url.removesuffix("/v1") + "/healthz")
        bare = await client.post(f"{url}/chat/completions", content=b"")
    assert error.value.code == "invalid_api_key"
    assert "wr0ng" not in str(error.value)
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")


@on_loop
async def test_web_pages_of_others_are_kept_out() -> None:
    """A browser would send them from any page, and a page's name can be made to point here: nothing is asked."""
    foreign = ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"})
    async with (
        running() as where,
        gateway(to(where.address)) as url,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        for headers in foreign:
            body = {"messages": [user("what?")]}
            refused = await client.post(f"{url}/chat/completions", json=body, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert where.service.questions == []


@on_loop
async def test_a_daemon_that_is_away_is_a_bad_gateway() -> None:
    """The gateway stays, and says what is missing; it goes on when the daemon is back."""
    async with running() as where:
        address = where.address
    async with gateway(to(address)) as url, stock(url) as client:
        with pytest.raises(openai.InternalServerError, match="livevlm serve") as error:
            await client.chat.completions.create(model="fake", messages=[user("what?")])
    assert (error.value.status_code, error.value.code) == (502, "server_unreachable")


@on_loop
async def test_other_paths_are_told_as_errors() -> None:
    """In the same shape as every other error, with the status that they should have."""
    async with (
        running() as where,
        gateway(to(where.address)) as url,
        httpx2.AsyncClient(trust_env=False) as client,
    ):
        nowhere = await client.post(f"{url}/embeddings", json={})
        wrong = await client.get(f"{url}/chat/completions")
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert "/v1/embeddings" in nowhere.json()["error"]["message"]


@on_loop
async def test_a_bug_is_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    """Its traceback goes into the log and not to the client, and the next request is served."""

    @asynccontextmanager
    async def dial() -> AsyncIterator[Client]:
        raise ZeroDivisionError("inside")
        yield

    async with gateway(dial) as url, httpx2.AsyncClient(trust_env=False) as client:
        failed = await client.get(f"{url}/models")
        healthy = await client.get(url.removesuffix("/v1") + "/healthz")
    assert (failed.status_code, healthy.status_code) == (500, 200)
    assert "inside" not in failed.text
    assert "ZeroDivisionError" in caplog.text
