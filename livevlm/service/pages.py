"""What GET answers on the server's port: health, readiness, metrics, status. No socket here: a path in, a page out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from livevlm.messages import StreamStatus
from livevlm.metrics import Metrics
from livevlm.service.protocol import View
from livevlm.service.wire import Json, JsonObject, finite, status_json

REALTIME = ("/v1/realtime", "/realtime")
WELL = ("live", "ended")
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP answer. data: its body, where that is no text."""

    status: int
    text: str
    content_type: str = TEXT
    data: bytes | None = None


class Pages:
    """The pages about one service. While the server is stopping, it is not ready."""

    def __init__(self, view: View, *, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._view = view
        self._metrics = metrics
        self._clock = clock
        self.stopping = False

    def page(self, path: str) -> Page:
        """The page at a path; 404 where there is none."""
        match path:
            case "/":
                return Page(200, self._index())
            case "/healthz":
                return _json(200, {"status": self._health()})
            case "/readyz":
                ready = self._view.ready() and not self.stopping
                return _json(200 if ready else 503, self._readiness(ready))
            case "/metrics":
                return Page(200, self._metrics.render().decode(), Metrics.content_type)
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
    "/healthz": "the process answers",
    "/readyz": "questions can be answered",
    "/metrics": "Prometheus metrics",
    "/v1/status": "the streams, as JSON",
    "/v1/frames/": "pictures of what was seen: STREAM/FRAME.jpg, or STREAM?at=SECONDS",
    "/v1/realtime": "the websocket to ask on",
}
WIDTH = max(map(len, PATHS))


def _json(status: int, value: JsonObject) -> Page:
    return Page(status, json.dumps(value) + "\n", JSON)
