"""RTSP servers as processes of their own: the project's small one, and GStreamer's."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

TESTS = Path(__file__).resolve().parent.parent
Kind = Literal["own", "gstreamer"]


class ServerProcess:
    """Plays files in a loop at rtsp://127.0.0.1:PORT/cam; a context manager. `stop` kills it, `start` brings it back."""

    def __init__(self, kind: Kind, files: Sequence[Path]) -> None:
        self.port = _free_port()
        words = [str(file) for file in files]
        if kind == "own":
            program = [sys.executable, "-m", "livevlm.bench.rtsp"]
            self._command = [*program, *words, "--port", str(self.port)]
        else:
            # The system's Python has GStreamer's bindings.
            program = ["/usr/bin/python3", str(TESTS / "gst_rtsp_server.py")]
            self._command = [*program, *words, str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its camera's address."""
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """It is there when this returns: it says so in a line."""
        self._process = subprocess.Popen(
            self._command, cwd=TESTS.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), f"{self._command} did not start"

    def stop(self) -> None:
        """It is killed, as by a cut of its power."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
