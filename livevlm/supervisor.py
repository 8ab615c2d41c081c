"""Supervisor: telling systemd, or whoever gave us $NOTIFY_SOCKET, how the daemon is, as sd_notify(3) describes it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

PATIENCE_S = 0.2  # with a supervisor that does not listen; nobody else is served meanwhile


class Supervisor:
    """Where there is none, telling it does nothing. From any thread."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte that an abstract socket's name begins with.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.beat_s = _beat_s(environ) if address else None

    def ready(self) -> None:
        """It listens and answers."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """It takes in a changed configuration; `ready` says when that is over."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It has begun to stop."""
        self._tell("STOPPING=1")

    async def watch(self, alive: Callable[[], bool]) -> None:
        """Tell twice in the time that the supervisor waits that all is well, from the loop that serves, while it is."""
        while self.beat_s is not None:
            if alive():
                self._tell("WATCHDOG=1")
            await asyncio.sleep(self.beat_s)

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(PATIENCE_S)
                sock.sendto(text.encode(), self._address)
        except (OSError, ValueError) as error:
            logger.warning("the supervisor at NOTIFY_SOCKET cannot be told %s: %s", text, error)


def _beat_s(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life; None where nobody waits for ours."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if (
        not usec.isascii()
        or not usec.isdigit()
        or int(usec) == 0
        or pid not in ("", str(os.getpid()))
    ):
        return None
    return int(usec) / 2e6
