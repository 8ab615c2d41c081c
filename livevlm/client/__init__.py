"""A client of the daemon: connect, ask, read the answer as it grows.

    async with connect("127.0.0.1:8765") as client:
        answer = await client.ask("what is on the table?", stream="front", last="2h")

        reply = client.ask("and now?")
        async for event in reply:                 # Queued, Recalled, AnswerChunk ..., Answer
            ...
        answer = await reply

What goes wrong raises an error of `livevlm.errors`. A lost connection is made anew, and the session resumed: whoever waits for
an answer does not notice.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from livevlm.client.reply import Reply
from livevlm.client.talk import Client, ServerStatus
from livevlm.client.watching import Watching
from livevlm.dial import dial
from livevlm.link import NotAdmitted, Retry
from livevlm.service.address import realtime_url, shown
from livevlm.service.asking import error_from
from livevlm.service.options import AskOptions

__all__ = [
    "AskOptions",
    "Client",
    "NotAdmitted",
    "Reply",
    "Retry",
    "ServerStatus",
    "Watching",
    "connect",
    "error_from",
]


@asynccontextmanager
async def connect(
    address: str,
    *,
    token: str | None = None,
    stream: str | None = None,
    ca: str | None = None,
    timeout_s: float = 10.0,
    reconnect: bool | Retry = True,
) -> AsyncIterator[Client]:
    """A session with the daemon at `address`: "HOST:PORT", or a ws, wss, http or https URL.

    `stream` is the stream that questions are about by default, `timeout_s` how long connecting may take. `ca`: a PEM file of
    the authorities to trust over TLS; None: the system's. `reconnect`: whether a connection that is lost later is made anew,
    and how. Raises ServerUnreachable: no daemon there, a wrong token (NotAdmitted), or something else that listens there; and
    ConfigError for an address that is none, and for a `ca` that cannot be used.
    """
    url = realtime_url(address, stream)
    retry = reconnect if isinstance(reconnect, Retry) else Retry() if reconnect else None
    dialing = functools.partial(dial, url, token=token, ca=ca, timeout_s=timeout_s)
    client = Client(dialing, where=shown(url), retry=retry, timeout_s=timeout_s)
    await client.open()
    try:
        yield client
    finally:
        await client.close()
