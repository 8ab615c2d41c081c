"""Asking the daemon on behalf of others: a connection for each, so that whoever leaves takes along what was asked for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from livevlm.client import Client
from livevlm.errors import ModelNotFound

Dial = Callable[[], AbstractAsyncContextManager[Client]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """most: completions made at once. body_bytes: the longest request. body_s: how long sending it may take, seconds;
    answer_s: how long its answer may.
    """

    most: int = 32
    body_bytes: int = 1 << 20
    body_s: float = 30.0
    answer_s: float = 120.0


def check_model(name: str | None, client: Client) -> None:
    """Raises ModelNotFound for another model than the daemon's."""
    if name is not None and name != client.model:
        raise ModelNotFound(
            f"there is no model {name[:100]!r}; there is {client.model!r}, and `model` may be left out"
        )
