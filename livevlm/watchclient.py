"""Watches by way of a client: making one, hearing what they tell, deleting one.

status = await make_watch(client, WatchRequest(stream="front", condition="is the door open?"))
async for event in told_by_watches(client):
    if event.watch.id == status.watch.id:
        ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from livevlm.client import Client
from livevlm.watching.watch import WatchEvent, WatchRequest, WatchStatus


async def make_watch(client: Client, request: WatchRequest) -> WatchStatus:
    """Have a condition watched; an empty stream is the session's, or the daemon's only one. What it finds is told to this
    client, for as long as that is connected.

    Raises WatchExists, TooManyWatches, StreamNotFound, or the LiveVLMError that the daemon refused it with.
    """
    return await client.watch(request, keep=True)


async def list_watches(client: Client) -> tuple[WatchStatus, ...]:
    """The daemon's watches. Raises ServerUnreachable."""
    return await client.watches()


async def delete_watch(client: Client, watch: str) -> WatchStatus:
    """Delete a watch by its id or its name; gives it back as it was. Raises WatchNotFound."""
    return await client.unwatch(watch)


async def told_by_watches(client: Client) -> AsyncIterator[WatchEvent]:
    """What watches tell this client: those that it has made, or all where it has subscribed to "watch". One reader alone.

    Raises ServerUnreachable in the end.
    """
    async for told in client.watch_events():
        yield told
