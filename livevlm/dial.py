"""Dialing: a websocket to a daemon opened, and what goes wrong with that explained."""

from __future__ import annotations

import ssl
from typing import Literal
from urllib.parse import SplitResult

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Subprotocol

from livevlm.errors import ServerUnreachable
from livevlm.link import NotAdmitted
from livevlm.service.address import is_loopback, shown
from livevlm.service.tls import client_context
from livevlm.service.wire import PROTOCOL

MAX_EVENT_BYTES = 16 << 20
NEVER = (401, 403)  # who is not let in now is not let in later


class WebsocketLink:
    """A websocket as a `Link`. where: the daemon's address for people."""

    def __init__(self, socket: ClientConnection, where: str) -> None:
        self._socket = socket
        self._where = where

    async def send(self, text: str) -> None:
        """Send one event. Raises ServerUnreachable."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            raise self._lost(closed) from closed

    async def recv(self) -> str | bytes:
        """The next event. Raises ServerUnreachable."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise self._lost(closed) from closed

    async def close(self) -> None:
        """Say goodbye (1000), so that the daemon keeps nothing for us."""
        await self._socket.close()

    def _lost(self, closed: ConnectionClosed) -> ServerUnreachable:
        frame = closed.rcvd
        why = f"{frame.code} {frame.reason}".strip() if frame else "it broke"
        return ServerUnreachable(f"the connection to the daemon at {self._where} was lost ({why})")


async def dial(
    url: SplitResult, *, token: str | None, ca: str | None, timeout_s: float
) -> WebsocketLink:
    """An open websocket. Raises ServerUnreachable, NotAdmitted, and ConfigError for a `ca` that cannot be used."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    # A proxy from the environment could not reach this machine's own loopback.
    proxy: Literal[True] | None = None if is_loopback(url.hostname or "") else True
    tls = client_context(ca) if url.scheme == "wss" else None
    try:
        socket = await open_websocket(
            url.geturl(),
            additional_headers=headers,
            subprotocols=[Subprotocol(PROTOCOL)],
            compression=None,
            max_size=MAX_EVENT_BYTES,
            open_timeout=timeout_s,
            ping_timeout=60,
            close_timeout=2,
            proxy=proxy,
            ssl=tls,
        )
    except InvalidStatus as refused:
        why = _refusal(shown(url), refused)
        kind = NotAdmitted if refused.response.status_code in NEVER else ServerUnreachable
        raise kind(why) from refused
    except ssl.SSLCertVerificationError as error:
        raise ServerUnreachable(
            f"the certificate of {shown(url)} is not trusted ({error.verify_message});"
            " name the file of its authority with --ca FILE"
        ) from error
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise ServerUnreachable(
            f"no daemon answers at {shown(url)} ({_reason(error)}); {_way_out(url, error)}"
        ) from error
    return WebsocketLink(socket, shown(url))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _way_out(url: SplitResult, error: Exception) -> str:
    """Something may listen there that speaks TLS when we do not, or the other way round."""
    if url.scheme == "wss" and isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return "where it speaks no TLS, write ws://"
    if url.scheme == "ws" and isinstance(error, (InvalidMessage, ConnectionResetError)):
        return "where it speaks TLS, write wss://"
    return "start one with `livevlm serve`, or name where one listens with --server URL"


def _refusal(where: str, refused: InvalidStatus) -> str:
    code = refused.response.status_code
    if code == 401:
        return (
            f"the daemon at {where} asks for a token, or for another one (401); give what its server.token_file holds"
            " with --token-file FILE or LIVEVLM_TOKEN"
        )
    body = bytes(refused.response.body or b"").decode(errors="replace").strip()
    return f"{where} refused the connection ({code}): {body[:500]}"
