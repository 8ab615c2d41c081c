"""The gateway's port: where it may listen, and what it shows of itself."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field

from livevlm.errors import ConfigError
from livevlm.service.address import is_loopback
from livevlm.service.server import listen_failed
from livevlm.service.tls import server_context

BACKLOG = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """Where to listen. As the daemon's own port, it is opened to others only beside a token and TLS, or on purpose.

    token: what clients must show. port 0: a free one. Raises ConfigError where it must not be opened so.
    """

    host: str
    port: int
    token: str | None = field(default=None, repr=False)
    tls_cert: str | None = None
    tls_key: str | None = None
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        if self.token == "":
            raise ConfigError("the token is empty; put one into the file of --token-file")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("give both --tls-cert and --tls-key, or neither")
        needed = {"--token-file": self.token, "--tls-cert with --tls-key": self.tls_cert}
        missing = " and ".join(flag for flag, value in needed.items() if not value)
        if missing and not (is_loopback(self.host) or self.allow_insecure):
            raise ConfigError(
                f"--listen {self.host}:{self.port} opens the gateway to the network: give {missing}, or --allow-insecure"
            )

    def tls(self) -> ssl.SSLContext | None:
        """What the port shows of itself; None: it speaks without TLS. Raises ConfigError where a file cannot be used."""
        if not self.tls_cert or not self.tls_key:
            return None
        return server_context(self.tls_cert, self.tls_key)

    def bind(self) -> socket.socket:
        """The socket, which takes connections from now on. Raises ListenFailed."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=BACKLOG)
        except (OSError, OverflowError) as error:
            raise listen_failed(self.host, self.port, error) from error

    def url(self, number: int) -> str:
        """What stock clients want as their base URL; number: the port that was given."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{number}/v1"
