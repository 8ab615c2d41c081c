"""A headless Chromium, driven by its own DevTools protocol over a websocket: what people do with a page, and what it says.

Nothing beside the browser is needed: no driver, no package. Where there is none, `chromium_path` is None.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import ClientConnection, connect

# Where the checks run for a change a browser must be there; elsewhere its lack is told.
REQUIRED = "REQUIRE_BROWSER" in os.environ
NO_BROWSER = "the dashboard's tests need Chromium: apt-get install chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 120.0
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--mute-audio",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)
LISTENING = "DevTools listening on "
# A key by its name in the page: what is typed by it, and the old number that default actions still go by.
KEYS = {"Enter": ("\r", 13), "Tab": ("", 9), "Escape": ("", 27), "ArrowLeft": ("", 37), "ArrowRight": ("", 39)}  # fmt: skip
KEYS |= {" ": (" ", 32), "Home": ("", 36)}

Json = dict[str, Any]


def chromium_path() -> str | None:
    """Where the browser is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def needed() -> list[pytest.MarkDecorator]:
    """The marks of tests that cannot do without it."""
    lacking = chromium_path() is None and not REQUIRED
    return [pytest.mark.timeout(600), pytest.mark.skipif(lacking, reason=NO_BROWSER)]


@dataclass
class Said:
    """What a page let its browser know."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """Of the content security policy."""
        return [line for line in self.console if "Content Security Policy" in line]


class Tab:
    """One page."""

    def __init__(self, socket: ClientConnection, session: str, numbers: Iterator[int]) -> None:
        self._socket, self._session, self._numbers = socket, session, numbers
        self.said = Said()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")
        self.do("Emulation.setFocusEmulationEnabled", enabled=True)
        self.do("Emulation.setScrollbarsHidden", hidden=True)

    def do(self, method: str, **params: Any) -> Json:
        """A command of the DevTools protocol, and its result; what the page says meanwhile is kept."""
        return command(
            self._socket, next(self._numbers), method, params, self._session, self._heard
        )

    def _heard(self, event: Json) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                self.said.console.append(
                    details.get("exception", {}).get("description", details["text"])
                )
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.said.console.append(" ".join(str(one.get("value")) for one in params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                entry = params["entry"]
                self.said.console.append(f"{entry['text']} {entry.get('url', '')}")
            case "Network.requestWillBeSent":
                self.said.requests.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.said.requests.append(params["url"])

    def open(self, url: str) -> None:
        """Go to a page; it may still be loading then."""
        self.do("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page; a promise is waited for."""
        result = self.do(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true; gives back its value."""
        return self.value(
            f"new Promise((keep) => {{ const look = () => {{ let found; try {{ found = {expression}; }} catch {{}} "
            "found ? keep(found) : setTimeout(look, 25); }; look(); })"
        )

    def type(self, text: str) -> None:
        """Write into whatever has the focus."""
        self.do("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        text, code = KEYS[key]
        common = {"key": key, "code": "Space" if key == " " else key, "modifiers": 8 * shift}
        common["windowsVirtualKeyCode"] = code
        self.do("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))  # fmt: skip
        self.do("Input.dispatchKeyEvent", type="keyUp", **common)

    def size(self, width: int, height: int, *, scale: float = 1.0) -> None:
        """Be a screen of so many CSS pixels."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def scheme(self, name: str) -> None:
        """Prefer light or dark."""
        self.do(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": name},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def screenshot(self, path: Path) -> None:
        """What is seen, as a PNG."""
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))


class Browser:
    """A running Chromium."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A page with a storage of its own."""
        context = self._do("Target.createBrowserContext")["browserContextId"]
        target = self._do("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self._do("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        try:
            yield Tab(self._socket, attached["sessionId"], self._numbers)
        finally:
            self._do("Target.disposeBrowserContext", browserContextId=context)

    def _do(self, method: str, **params: Any) -> Json:
        return command(self._socket, next(self._numbers), method, params, None, lambda _: None)


def command(
    socket: ClientConnection, number: int, method: str, params: Json, session: str | None, heard: Any
) -> Json:  # fmt: skip
    """Send a command and wait for its result; other messages of its session are heard on the way."""
    message: Json = {"id": number, "method": method, "params": params}
    socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            event: Json = json.loads(socket.recv(timeout=max(0.0, until - time.monotonic())))
        except TimeoutError:
            raise AssertionError(f"no answer in {PATIENCE_S:g} s: {method} {params}") from None
        if event.get("id") == number:
            assert "error" not in event, (method, event["error"])
            result: Json = event["result"]
            return result
        if event.get("sessionId") == session:
            heard(event)


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium with an empty profile, which is gone afterwards."""
    path = chromium_path()
    assert path is not None, "there is no chromium"
    with tempfile.TemporaryDirectory(prefix="livevlm-browser-", ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={home}", "about:blank"],
            env={**os.environ, "HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            address = _address(process)
            with connect(address, max_size=None, proxy=None, ping_interval=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    """Where DevTools are listening, which Chromium says once on its standard error."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(LISTENING):
            return line.removeprefix(LISTENING).strip()
    raise AssertionError(f"chromium did not start: {''.join(said)}")


def foreign(requests: list[str], host: str) -> list[str]:
    """The requests that go elsewhere than to host:port."""
    near = ("data:", "blob:", "about:")
    return [url for url in requests if not url.startswith(near) and urlsplit(url).netloc != host]
