"""Dialing: a websocket to a daemon opened, and what goes wrong with that explained."""

from __future__ import annotations

import ssl
from typing import Literal
from urllib.parse import SplitResult

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from livevlm.errors import ServerUnreachable
from livevlm.service.address import is_loopback, shown
from livevlm.service.tls import client_context
from livevlm.service.wire import PROTOCOL

MAX_EVENT_BYTES = 16 << 20


async def dial(
    url: SplitResult, *, token: str | None, ca: str | None, timeout_s: float
) -> ClientConnection:
    """An open websocket. Raises ServerUnreachable, and ConfigError for a `ca` that cannot be used."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    # A proxy from the environment could not reach this machine's own loopback.
    proxy: Literal[True] | None = None if is_loopback(url.hostname or "") else True
    tls = client_context(ca) if url.scheme == "wss" else None
    try:
        return await open_websocket(
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
        raise ServerUnreachable(_refusal(shown(url), refused)) from refused
    except ssl.SSLCertVerificationError as error:
        raise ServerUnreachable(
            f"the certificate of {shown(url)} is not trusted ({error.verify_message});"
            " name the file of its authority with --ca FILE"
        ) from error
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise ServerUnreachable(
            f"no daemon answers at {shown(url)} ({_reason(error)}); {_way_out(url, error)}"
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _way_out(url: SplitResult, error: Exception) -> str:
    """Something may listen there that speaks TLS when we do not, or the other way round."""
    if url.scheme == "wss" and isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return "where it speaks no TLS, write ws://"
    if url.scheme == "ws" and isinstance(error, (InvalidMessage, ConnectionResetError)):
        return "where it speaks TLS, write wss://"
    return "start one with `livevlm serve`"


def _refusal(where: str, refused: InvalidStatus) -> str:
    code = refused.response.status_code
    if code == 401:
        return f"the daemon at {where} asks for a token, or for another one (401)"
    body = bytes(refused.response.body or b"").decode(errors="replace").strip()
    return f"{where} refused the connection ({code}): {body[:500]}"
