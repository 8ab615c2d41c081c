"""Watches by way of a client: making one, hearing what they tell, deleting one.

status = await make_watch(client, WatchRequest(stream="front", condition="is the door open?"))
async for event in told_by_watches(client):
    if event.watch.id == status.watch.id:
        ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from livevlm.client import Client
from livevlm.errors import ServerUnreachable
from livevlm.service.watches import create_json, read_status, read_statuses, read_told
from livevlm.service.wire import JsonObject, child
from livevlm.watching.watch import WatchEvent, WatchRequest, WatchStatus


async def make_watch(client: Client, request: WatchRequest) -> WatchStatus:
    """Have a condition watched; an empty stream is the session's, or the daemon's only one. What it finds is told to this
    client, for as long as that is connected.

    Raises WatchExists, TooManyWatches, StreamNotFound, or the LiveVLMError that the daemon refused it with.
    """
    return _status(await client.told("watch.create", **create_json(request)))


async def list_watches(client: Client) -> tuple[WatchStatus, ...]:
    """The daemon's watches. Raises ServerUnreachable."""
    try:
        return read_statuses(await client.told("watch.list"))
    except ValueError as error:
        raise ServerUnreachable(f"the daemon tells of a watch that is none: {error}") from error


async def delete_watch(client: Client, watch: str) -> WatchStatus:
    """Delete a watch by its id or its name; gives it back as it was. Raises WatchNotFound."""
    return _status(await client.told("watch.delete", watch=watch))


async def told_by_watches(client: Client) -> AsyncIterator[WatchEvent]:
    """What watches tell this client: those that it has made, or all where it has subscribed to "watch". One reader alone.

    Raises ServerUnreachable in the end.
    """
    async for event in client.pushed("watch"):
        try:
            told = read_told(event)
        except ValueError as error:
            raise ServerUnreachable(f"the daemon tells what cannot be read: {error}") from error
        if told is not None:
            yield told


def _status(event: JsonObject) -> WatchStatus:
    try:
        return read_status(child(event, "watch"))
    except ValueError as error:
        raise ServerUnreachable(f"the daemon tells of a watch that is none: {error}") from error
