"""Pictures of what was seen, fetched from the daemon's pages."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from livevlm.errors import LiveVLMError, ServerUnreachable
from livevlm.service.address import is_loopback, realtime_url, shown
from livevlm.service.tls import client_context
from livevlm.service.wire import FRAMES

WAIT_S = 15.0
NOT_FOUND = 404
MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """The daemon's pictures. address, token, ca: as `livevlm.client.connect` has them."""

    address: str
    token: str | None = field(default=None, repr=False)
    ca: str | None = None

    def picture(self, stream: str, *, frame: int | None = None, at: str | None = None) -> bytes:
        """A JPEG: of a frame, of the moment `at` as in the protocol's times, or the newest. Waits for the daemon.

        Raises LiveVLMError where there is none, and ServerUnreachable.
        """
        url = realtime_url(self.address, None)
        secure = url.scheme == "wss"
        request = urllib.request.Request(
            f"{'https' if secure else 'http'}://{url.netloc.rpartition('@')[2]}{page(stream, frame, at)}"
        )
        if self.token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        handlers: list[urllib.request.BaseHandler] = []
        if is_loopback(url.hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))
        if secure:
            handlers.append(urllib.request.HTTPSHandler(context=client_context(self.ca)))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=WAIT_S) as response:
                return bytes(response.read(MAX_BYTES))
        except urllib.error.HTTPError as refused:
            with refused:
                raise _refused(shown(url), refused) from refused
        except OSError as error:
            why = getattr(error, "reason", None) or error
            raise ServerUnreachable(f"no daemon answers at {shown(url)} ({why})") from error


def page(stream: str, frame: int | None, at: str | None) -> str:
    """The path of a picture's page."""
    folder = f"{FRAMES}/{quote(stream, safe='')}"
    if frame is not None:
        return f"{folder}/{frame}.jpg"
    return f"{folder}/newest.jpg" if at is None else f"{folder}?{urlencode({'at': at})}"


def _refused(where: str, refused: urllib.error.HTTPError) -> LiveVLMError:
    said = refused.read(500).decode(errors="replace").strip()
    if refused.code == 401:
        return ServerUnreachable(
            f"the daemon at {where} asks for a token, or for another one (401)"
        )
    error = LiveVLMError(said or f"{where} answers with {refused.code}")
    if refused.code == NOT_FOUND:
        error.code, error.kind = "frame_not_found", "not_found_error"
    return error
