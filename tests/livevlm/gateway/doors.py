"""A real gateway on a free port before a real server, and stock clients of it."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from livevlm.client import connect
from livevlm.gateway.app import build_app
from livevlm.gateway.asking import Dial, Limits
from livevlm.gateway.port import Port
from livevlm.gateway.serving import serving
from livevlm.service.access import Gate

NOW = 1_790_000_013


@asynccontextmanager
async def gateway(
    dial: Dial, *, token: str | None = None, limits: Limits | None = None
) -> AsyncIterator[str]:
    """The URL of a gateway whose clock stands still."""
    port = Port(host="127.0.0.1", port=0, token=token)
    gate = Gate(host=port.host, token=token)
    app = build_app(dial, gate=gate, limits=limits, clock=lambda: NOW)
    async with serving(app, port) as url:
        yield url


def to(address: str, token: str | None = None) -> Dial:
    """A dial to a daemon."""
    return functools.partial(connect, address, token=token)


@asynccontextmanager
async def stock(url: str, key: str = "none") -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client, which tries nothing twice."""
    http = DefaultAsyncHttpxClient(trust_env=False)
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, http_client=http) as client:
        yield client


def user(*content: Any) -> dict[str, Any]:
    """A message of the user: a text, or parts."""
    whole = content[0] if len(content) == 1 and isinstance(content[0], str) else list(content)
    return {"role": "user", "content": whole}


def text(words: str) -> dict[str, Any]:
    """A part that is text."""
    return {"type": "text", "text": words}


def camera(name: str) -> dict[str, Any]:
    """A part that names a stream."""
    return {"type": "stream", "stream": name}
