"""Who may speak to the server: the bearer token, and which web pages' requests are let in.

A browser sends requests on behalf of any page it shows, also to this machine's loopback. Pages are told apart by the Origin
header, and by the Host header where a page's own name was made to point here.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from livevlm.service.address import is_loopback

Headers = Callable[[str], Sequence[str]]
OPEN_PATH = "/healthz"
# The dashboard's files hold nothing of what was seen, and without them nobody could type a token in.
PUBLIC, PUBLIC_PREFIX = "/", "/dashboard/"
# A web page cannot give a websocket headers; it offers a subprotocol that is this and the token in base64url instead.
TOKEN_PROTOCOL = "livevlm.bearer."
PROTOCOLS = "Sec-WebSocket-Protocol"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not let in: the HTTP status, and why."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Lets requests in or not. `host` is the address listened on; an `allowed_origins` is written "https://example.org"."""

    host: str
    token: str | None = None
    allowed_origins: frozenset[str] = frozenset()

    def refusal(self, path: str, headers: Headers) -> Refusal | None:
        """Why a request is refused, or None. `headers` gives all values of a header."""
        if path == OPEN_PATH:
            return None
        if not self._origin_allowed(headers("Origin"), headers("Host")):
            return Refusal(
                403, "requests of this Origin are not allowed; list it in allowed_origins"
            )
        if not self._host_allowed(headers("Host")):
            return Refusal(403, "this Host name is not ours; use the address, or set a token")
        if path == PUBLIC or path.startswith(PUBLIC_PREFIX):
            return None
        if not (self._token_given(headers("Authorization")) or self._token_offered(headers)):
            return Refusal(
                401, "a bearer token is needed: send the header Authorization: Bearer TOKEN"
            )
        return None

    def caller(self, headers: Headers) -> str:
        """Whom a request that was let in comes from, as far as it can be told: all hold the token; some are web pages."""
        return "\n".join(headers("Origin"))

    def _origin_allowed(self, origins: Sequence[str], hosts: Sequence[str]) -> bool:
        if not origins:
            return True
        if len(origins) > 1:
            return False
        if origins[0] in self.allowed_origins:
            return True
        return len(hosts) == 1 and _netloc(origins[0]) == hosts[0].lower() != ""

    def _host_allowed(self, hosts: Sequence[str]) -> bool:
        """Without a token, a loopback server answers to no name but its own: any page can make its name point to us."""
        if self.token is not None or not is_loopback(self.host):
            return True
        if len(hosts) != 1:
            return not hosts
        name = _hostname(hosts[0])
        allowed = {_hostname(_netloc(origin)) for origin in self.allowed_origins}
        return is_loopback(name) or _is_address(name) or name in allowed

    def _token_given(self, values: Sequence[str]) -> bool:
        if self.token is None:
            return True
        scheme, _, given = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        # Header values arrive as ISO-8859-1.
        same = self._is_token(given.strip().encode("latin-1", "replace"))
        return same and scheme.lower() == "bearer"

    def _token_offered(self, headers: Headers) -> bool:
        """Whether the token stands, alone, among the subprotocols; never beside an Authorization header."""
        offered = [name.strip() for value in headers(PROTOCOLS) for name in value.split(",")]
        tokens = [name for name in offered if name.startswith(TOKEN_PROTOCOL)]
        if len(tokens) != 1 or headers("Authorization"):
            return False
        return self._is_token(_from_base64url(tokens[0].removeprefix(TOKEN_PROTOCOL)))

    def _is_token(self, given: bytes) -> bool:
        """Compared in constant time, whatever the length."""
        return self.token is not None and hmac.compare_digest(given, self.token.encode())


def _from_base64url(text: str) -> bytes:
    """What was written, padding left out; nothing where it is no base64url."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
