"""A proxy in front of a server that a test can cut, stop and point elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes on, both ways. `stalled`: what the client sends is kept back."""

    def __init__(self, host: str, port: int) -> None:
        self.target: tuple[str, int] | None = (host, port)
        self.connections = 0
        self.cut_after: int | None = None  # bytes of the server after which a connection is cut
        self.open_gate()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def open_gate(self) -> None:
        """Let what the client sends through."""
        self._gate = asyncio.Event()
        self._gate.set()

    def close_gate(self) -> None:
        """Keep back what the client sends from now on."""
        self._gate.clear()

    def cut(self) -> None:
        """Reset all connections; what is on its way is lost."""
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        self.connections += 1
        self._writers.add(writer)
        if self.target is None:
            writer.transport.abort()
            return
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            self._writers.add(far_writer)
            up = asyncio.create_task(self._up(reader, far_writer))
            self._tasks.add(up)
            try:
                await self._down(far_reader, writer)
            finally:
                up.cancel()
                far_writer.transport.abort()
                writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._gate.wait()
                writer.write(data)
                await writer.drain()
            writer.transport.abort()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.cut_after
        while data := await reader.read(1 << 16):
            if left is not None and len(data) >= left:
                self.cut_after = None
                writer.write(data[:left])
                await writer.drain()
                return
            left = None if left is None else left - len(data)
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy in front of a port of this machine, and its address."""
    proxy = Proxy("127.0.0.1", port)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    try:
        yield proxy, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        proxy.cut()
