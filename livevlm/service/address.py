"""Where a daemon is: what a user writes, as the URL of its websocket."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from livevlm.errors import ConfigError

PATH = "/v1/realtime"
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def realtime_url(address: str, stream: str | None) -> SplitResult:
    """The websocket's URL. Raises ConfigError for an address that is none."""
    written = address.rpartition("@")[
        2
    ]  # what we may repeat: a user's name and password come before it
    try:
        url = urlsplit(address if "://" in address else f"ws://{address}")
        _ = url.port  # urlsplit judges the port only when it is asked for
    except ValueError as error:
        raise ConfigError(f"{written!r} is not an address: {error}") from error
    if url.scheme not in SCHEMES or not url.hostname:
        raise ConfigError(
            f"{written!r} is not HOST:PORT or a ws://, wss://, http:// or https:// URL"
        )
    query = parse_qsl(url.query, keep_blank_values=True)
    query += [] if stream is None else [("stream", stream)]
    path = PATH if url.path in ("", "/") else url.path
    return SplitResult(SCHEMES[url.scheme], url.netloc, path, urlencode(query), "")


def shown(url: SplitResult) -> str:
    """The URL for people: no path, no query, no credentials."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}{port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
