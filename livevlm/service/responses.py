"""Responses: a page as the websocket library's HTTP response."""

from __future__ import annotations

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livevlm.service.pages import Page


def response_of(page: Page, socket: ServerConnection, request: Request) -> Response:
    """The response that shows a page; without its body to a HEAD."""
    response = socket.respond(page.status, page.text)
    if page.data is not None:
        response.body = page.data
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(page.data))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = page.content_type
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    for name, value in page.headers.items():
        response.headers[name] = value
    if page.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if page.status == 405:
        response.headers["Allow"] = "GET, HEAD"
    if request.method == "HEAD":
        response.body = b""
    return response
