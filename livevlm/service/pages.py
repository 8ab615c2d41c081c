"""What GET answers on the server's port: the dashboard, health, readiness, metrics, status. No socket here: a path in, a
page out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType

from livevlm.messages import StreamStatus
from livevlm.metrics import Metrics
from livevlm.service.schema import protocol_schema
from livevlm.service.view import View
from livevlm.service.wire import Json, JsonObject, finite, status_json

REALTIME = ("/v1/realtime", "/realtime")
WELL = ("live", "ended")
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
DASHBOARD = "/dashboard/"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing but the dashboard's own files is run, loaded or spoken to, and no string becomes markup: what a stream is called and
# what a model says is text. Pictures are fetched by script, with the token, and shown as blobs.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
PROTECTION = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP answer. data: its body, where that is no text. headers: beside those that every answer has."""

    status: int
    text: str
    content_type: str = TEXT
    data: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Pages:
    """The pages about one service. While the server is stopping, it is not ready."""

    def __init__(self, view: View, *, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._view = view
        self._metrics = metrics
        self._clock = clock
        self._dashboard = dashboard()
        self._schema = json.dumps(protocol_schema()) + "\n"
        self.stopping = False

    def page(self, path: str) -> Page:
        """The page at a path; 404 where there is none."""
        if path in self._dashboard:
            return self._dashboard[path]
        match path:
            case "/v1":
                return Page(200, self._index())
            case "/healthz":
                return _json(200, {"status": self._health()})
            case "/readyz":
                ready = self._view.ready() and not self.stopping
                return _json(200 if ready else 503, self._readiness(ready))
            case "/metrics":
                return Page(200, self._metrics.render().decode(), Metrics.content_type)
            case "/v1/protocol.schema.json":
                return Page(200, self._schema, "application/schema+json")
            case "/v1/status":
                return _json(200, self._status())
        return Page(404, f"There is nothing at this path. There are: {', '.join(PATHS)}\n")

    def _index(self) -> str:
        info = self._view.info()
        paths = "\n".join(f"  {path:{WIDTH}} {text}" for path, text in PATHS.items())
        return f"LiveVLM {info.get('version', '')}, model {info.get('model', '')}\n\n{paths}\n"

    def _health(self) -> str:
        """A camera that is down degrades the daemon; it does not make it unhealthy."""
        well = all(status.state in WELL for status in self._view.streams())
        return "healthy" if well and self._view.ready() else "degraded"

    def _readiness(self, ready: bool) -> JsonObject:
        streams: JsonObject = {
            status.name: {"state": status.state, "frame_age_s": self._age(status)}
            for status in self._view.streams()
        }
        return {
            "ready": ready,
            "status": self._health() if ready else "unhealthy",
            "streams": streams,
        }

    def _status(self) -> JsonObject:
        streams: Sequence[StreamStatus] = self._view.streams()
        info: JsonObject = {**self._view.info()}
        listed: list[Json] = [status_json(status) for status in streams]
        return {
            "info": info,
            "ready": self._view.ready(),
            "status": self._health(),
            "streams": listed,
        }

    def _age(self, status: StreamStatus) -> float | None:
        if status.last_frame_utc is None:
            return None
        return finite(max(0.0, self._clock() - status.last_frame_utc), 3)


PATHS = {
    "/": "the dashboard, for browsers",
    "/healthz": "the process answers",
    "/readyz": "questions can be answered",
    "/metrics": "Prometheus metrics",
    "/v1/status": "the streams, as JSON",
    "/v1/protocol.schema.json": "the JSON Schema of the websocket's events",
    "/v1/frames/": "pictures of what was seen: STREAM/FRAME.jpg, STREAM/newest.jpg, or STREAM?at=SECONDS",
    "/v1/realtime": "the websocket to ask on",
}
WIDTH = max(map(len, PATHS))


def dashboard() -> dict[str, Page]:
    """The dashboard's files by their paths: its page at /, the rest below DASHBOARD."""
    pages: dict[str, Page] = {}
    for file in (files("livevlm") / "dashboard").iterdir():
        kind = TYPES.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            path = "/" if file.name == "index.html" else DASHBOARD + file.name
            pages[path] = Page(200, file.read_text(encoding="utf-8"), kind, headers=PROTECTION)
    return pages


def _json(status: int, value: JsonObject) -> Page:
    return Page(status, json.dumps(value) + "\n", JSON)
