"""The gateway's HTTP interface, as an ASGI application: who is let in, what is asked for, and what it is answered with."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from livevlm.client import Client
from livevlm.errors import LiveVLMError
from livevlm.gateway.asking import Dial, Limits, check_model
from livevlm.gateway.completions import Completions
from livevlm.gateway.problems import HEADERS, INTERNAL, http_status, problem, problem_json
from livevlm.service.access import OPEN_PATH, Gate
from livevlm.service.wire import JsonObject

NOT_ALLOWED = {401: "invalid_api_key", 403: "forbidden"}


def build_app(
    dial: Dial, *, gate: Gate, limits: Limits | None = None, clock: Callable[[], float] = time.time
) -> Starlette:
    """The application. `dial` opens a session with the daemon; `gate` lets requests in; `clock` gives POSIX seconds."""
    completions = Completions(dial, limits=limits or Limits(), clock=clock)
    models = Models(dial)
    return Starlette(
        routes=[
            Route(OPEN_PATH, healthz, methods=["GET"]),
            Route("/v1/models", models.all, methods=["GET"]),
            Route("/v1/models/{name:path}", models.one, methods=["GET"]),
            Route("/v1/chat/completions", completions, methods=["POST"]),
        ],
        middleware=[Middleware(Guard, gate=gate)],
        exception_handlers={
            LiveVLMError: tell_error,
            HTTPException: tell_http_error,
            INTERNAL: tell_bug,
        },
    )


async def healthz(_: Request) -> Response:
    """The gateway answers; whether the daemon does, a question shows."""
    return JSONResponse({"status": "ok"})


class Guard:
    """Lets in whom the daemon's own rules let in."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        refusal = None
        if scope["type"] == "http":
            refusal = self._gate.refusal(scope["path"], Headers(scope=scope).getlist)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        body = problem_json(
            refusal.reason, kind="invalid_request_error", code=NOT_ALLOWED[refusal.status]
        )
        headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
        await JSONResponse(body, refusal.status, headers)(scope, receive, send)


class Models:
    """The daemon's one model."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial

    async def all(self, _: Request) -> Response:
        """GET /v1/models."""
        async with self._dial() as client:
            return JSONResponse({"object": "list", "data": [model_json(client)]})

    async def one(self, request: Request) -> Response:
        """GET /v1/models/NAME."""
        async with self._dial() as client:
            check_model(request.path_params["name"], client)
            return JSONResponse(model_json(client))


def model_json(client: Client) -> JsonObject:
    """The daemon's model, and under `livevlm` the streams that it may be asked about."""
    return {
        "id": client.model,
        "object": "model",
        "created": 0,
        "owned_by": "livevlm",
        "livevlm": {"version": client.version, "streams": [*client.streams]},
    }


async def tell_error(_: Request, error: Exception) -> Response:
    """An error of ours as a response."""
    assert isinstance(error, LiveVLMError)
    status = http_status(error)
    return JSONResponse(problem(error), status, HEADERS.get(status))


async def tell_http_error(request: Request, error: Exception) -> Response:
    """A path or a method that there is none of."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    body = problem_json(message, kind="invalid_request_error", code=None)
    return JSONResponse(body, error.status_code, error.headers)


async def tell_bug(_: Request, __: Exception) -> Response:
    """What nobody has foreseen; its traceback is logged, and not told."""
    body = problem_json("the gateway has failed; its log says why", kind="server_error", code=None)
    return JSONResponse(body, INTERNAL)
