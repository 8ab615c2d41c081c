"""POST /v1/chat/completions: a request's body in, an answer out, whole or as server-sent events.

A client that leaves takes its question along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from livevlm.errors import DeadlineExceeded, LiveVLMError, QueueFull
from livevlm.gateway.asking import Dial, Limits, check_model
from livevlm.gateway.chat import ChatRequest, read_chat
from livevlm.gateway.problems import problem
from livevlm.gateway.shapes import Chunks, Heading, completion_json, failed
from livevlm.messages import Answer, AnswerEvent
from livevlm.service.commands import read_message
from livevlm.service.fields import InvalidRequest
from livevlm.service.wire import JsonObject, encode

GRACE_S = 5.0  # the daemon keeps a question's deadline itself; this much later it is not waited for
DONE = "[DONE]"
EVENT_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class Completions:
    """POST /v1/chat/completions: an ASGI application, so that it notices a client that leaves."""

    def __init__(self, dial: Dial, *, limits: Limits, clock: Callable[[], float]) -> None:
        self._dial = dial
        self._limits = limits
        self._clock = clock
        self._open: set[Sending] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its body to the end of its answer."""
        making = sum(not other.over for other in self._open)
        if making >= self._limits.most:
            raise QueueFull(f"{making} completions are being made, and no more may; ask again soon")
        sending = Sending(scope, receive, send)
        self._open.add(sending)
        try:
            body = await read_body(Request(scope, receive), self._limits)
            chat = read_chat(read_message(body), deadline_s=self._limits.answer_s)
            await while_connected(self._answer(chat, sending), sending)
        except ClientDisconnect:
            return
        finally:
            self._open.remove(sending)

    async def _answer(self, chat: ChatRequest, sending: Sending) -> None:
        assert chat.options.deadline_s is not None
        try:
            async with asyncio.timeout(chat.options.deadline_s + GRACE_S), self._dial() as client:
                check_model(chat.model, client)
                sending.begin(chat, Heading(model=client.model, created=int(self._clock())))
                async for event in client.ask(
                    chat.text,
                    stream=chat.stream,
                    time=chat.time,
                    options=chat.options,
                    earlier=chat.earlier,
                ):
                    await sending.take(event)
        except TimeoutError:
            await sending.fail(DeadlineExceeded("the daemon has not answered in time"))
        except LiveVLMError as error:
            await sending.fail(error)


class Sending:
    """One answer on its way to the client: whole, or as server-sent events. `over`: all of it is sent, or about to be."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.over = False
        self._scope, self._receive, self._send = scope, receive, send
        self._heading = Heading(model="", created=0)
        self._chunks: Chunks | None = None
        self._started = False

    def begin(self, chat: ChatRequest, heading: Heading) -> None:
        """How the answer is wanted, and what it begins with."""
        self._heading = heading
        if chat.streamed:
            self._chunks = Chunks(heading, include_usage=chat.include_usage)

    async def take(self, event: AnswerEvent) -> None:
        """What the daemon says. Raises the error of an answer that failed before anything of it was sent."""
        error = failed(event) if isinstance(event, Answer) else None
        if error is not None:
            await self.fail(error)
        elif self._chunks is not None:
            await self._stream(self._chunks, event)
        elif isinstance(event, Answer):
            self.over = self._started = True
            response = JSONResponse(completion_json(event, self._heading))
            await response(self._scope, self._receive, self._send)

    async def fail(self, error: LiveVLMError) -> None:
        """There is no more to come: the error is raised where a status can still tell it, else it is the last event."""
        if not self._started:
            raise error
        if self.over:
            return
        with suppress(TimeoutError):  # who has not read for so long need not hear it
            async with asyncio.timeout(GRACE_S):
                await self._end(problem(error))

    async def left(self) -> None:
        """Returns when the client has left, or has got everything."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _stream(self, chunks: Chunks, event: AnswerEvent) -> None:
        pieces = chunks.take(event)
        if pieces and not self._started:
            self._started = True
            await self._send(
                {"type": "http.response.start", "status": 200, "headers": EVENT_STREAM}
            )
        for piece in pieces:
            await self._send(body_part(sse(encode(piece)), more=True))
        if isinstance(event, Answer):
            await self._end(DONE)

    async def _end(self, last: JsonObject | str) -> None:
        self.over = True
        text = last if isinstance(last, str) else encode(last)
        await self._send(body_part(sse(text), more=False))


def sse(data: str) -> bytes:
    """A server-sent event."""
    return f"data: {data}\n\n".encode()


def body_part(data: bytes, *, more: bool) -> Message:
    """A piece of a response's body."""
    return {"type": "http.response.body", "body": data, "more_body": more}


async def read_body(request: Request, limits: Limits) -> str:
    """A request's body. Raises InvalidRequest where it is too long, comes too slowly, or is no text."""
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            async for part in request.stream():
                body += part
                if len(body) > limits.body_bytes:
                    raise InvalidRequest(
                        f"the request is longer than the {limits.body_bytes} bytes allowed",
                        code="request_too_large",
                    )
    except TimeoutError as error:
        raise InvalidRequest(
            f"the request has not come within {limits.body_s:g} s", code="request_timeout"
        ) from error
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("the request is not UTF-8", code="invalid_json") from error


async def while_connected(work: Coroutine[None, None, None], sending: Sending) -> None:
    """Do the work, but only for as long as its client is there."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(sending.left())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if sending.over:  # what is left to do is to part well from the daemon
            await asyncio.wait((working,))
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait((working, leaving))
    if not working.cancelled():
        working.result()
