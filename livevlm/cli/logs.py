"""Logs of the commands: to standard error, one line each, without credentials."""

from __future__ import annotations

import logging
import sys

from streams.redact import redact

LEVELS = {-1: logging.WARNING, 0: logging.INFO, 1: logging.DEBUG}
LOUD_LIBRARIES = (
    "websockets", "transformers", "asyncio", "libav", "faiss", "httpx2", "filelock", "uvicorn", "mcp",
)  # fmt: skip


class RedactingFormatter(logging.Formatter):
    """Hides credentials in the finished text, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return redact(super().format(record))


def start_logging(verbosity: int) -> None:
    """Log to standard error: warnings at -1, what happens at 0, everything at 1."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    # Its debug lines quote the beginning of what clients send, where half of a url hides no longer what is a password.
    logging.getLogger("websockets").setLevel(logging.INFO)
    # It names the paths that it posts to, and a webhook's may be a secret.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.basicConfig(level=LEVELS[max(-1, min(verbosity, 1))], handlers=[handler], force=True)
    if verbosity < 1:
        for name in LOUD_LIBRARIES:
            logging.getLogger(name).setLevel(logging.WARNING)
