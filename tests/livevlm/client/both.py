"""A client of a fake service, over a real socket or in this process: what holds for one holds for the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from livevlm.client import Client, connect
from livevlm.client.twin import attached
from livevlm.service.server import ServerOptions
from tests.livevlm.service.fake_service import FakeService
from tests.livevlm.service.serving import running

both = pytest.mark.parametrize("way", ["socket", "process"])


@asynccontextmanager
async def talking(
    way: str, *streams: str, stream: str | None = None
) -> AsyncIterator[tuple[Client, FakeService]]:
    """A client, and what it talks to."""
    if way == "socket":
        async with running(*streams) as where, connect(where.address, stream=stream) as client:
            yield client, where.service
        return
    with FakeService(*streams) as service:
        async with attached(service, ServerOptions(), stream=stream) as client:
            yield client, service
