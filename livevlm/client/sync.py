"""Client without asyncio: the same names, the same errors; a thread of its own runs the asynchronous one.

    with connect_sync("127.0.0.1:8765") as client:
        print(client.ask("what is on the table?").text)
        for piece in client.stream("and now?"):
            print(piece, end="", flush=True)

Any thread may use it. Ctrl-C while something is waited for gives that up, as a cancelled task would.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from types import TracebackType
from typing import Literal, Self, Unpack

from livevlm.changes import Change, Changed
from livevlm.client import Client, ServerStatus, connect
from livevlm.client.aside import Aside
from livevlm.client.times import When
from livevlm.client.watching import Watching, WatchWishes
from livevlm.link import Retry
from livevlm.messages import Answer, Exchange, Forgotten, Found, MemorySize, StreamStatus, TimeRange
from livevlm.service.options import AskOptions
from livevlm.service.wire import Json, JsonObject
from livevlm.watching.watch import WatchEvent, WatchRequest, WatchStatus


class SyncClient:
    """As `Client`, made by `connect_sync` or `local_sync`."""

    def __init__(self, client: Client, aside: Aside) -> None:
        self._client = client
        self._aside = aside

    @property
    def session(self) -> JsonObject:
        """As Client.session."""
        return self._client.session

    @property
    def version(self) -> str:
        """As Client.version."""
        return self._client.version

    @property
    def model(self) -> str:
        """As Client.model."""
        return self._client.model

    @property
    def streams(self) -> list[str]:
        """As Client.streams."""
        return self._client.streams

    def ask(
        self,
        text: str,
        *,
        stream: str | None = None,
        options: AskOptions | None = None,
        earlier: Sequence[Exchange] = (),
        **when: Unpack[When],
    ) -> Answer:
        """The answer to a question. Raises what `await client.ask(...)` does."""

        async def asking() -> Answer:
            return await self._client.ask(
                text, stream=stream, options=options, earlier=earlier, **when
            )

        return self._aside.wait(asking())

    def stream(
        self,
        text: str,
        *,
        stream: str | None = None,
        options: AskOptions | None = None,
        earlier: Sequence[Exchange] = (),
        **when: Unpack[When],
    ) -> Iterator[str]:
        """The answer's text, piece by piece. Raises as `ask` does, in the end; leaving it early has the question cancelled."""

        async def asking() -> AsyncIterator[str]:
            return self._client.ask(
                text, stream=stream, options=options, earlier=earlier, **when
            ).pieces()

        return self._aside.each(self._aside.wait(asking()))

    def watch(
        self,
        condition: str | WatchRequest,
        *,
        stream: str | None = None,
        keep: bool = False,
        **wishes: Unpack[WatchWishes],
    ) -> SyncWatching:
        """As Client.watch, and waits until the watch is made; iterate over it."""

        async def making() -> Watching:
            watching = self._client.watch(condition, stream=stream, keep=keep, **wishes)
            await watching
            return watching

        return SyncWatching(self._aside.wait(making()), self._aside)

    def watches(self) -> tuple[WatchStatus, ...]:
        """As Client.watches."""
        return self._aside.wait(self._client.watches())

    def unwatch(self, watch: str) -> WatchStatus:
        """As Client.unwatch."""
        return self._aside.wait(self._client.unwatch(watch))

    def watch_events(self) -> Iterator[WatchEvent]:
        """As Client.watch_events."""
        return self._aside.each(self._client.watch_events())

    def memory_stats(self, *, stream: str | None = None) -> tuple[MemorySize, ...]:
        """As Client.memory_stats."""
        return self._aside.wait(self._client.memory_stats(stream=stream))

    def search(
        self,
        text: str,
        *,
        stream: str | None = None,
        limit: int | None = None,
        **when: Unpack[When],
    ) -> Found:
        """As Client.search."""
        return self._aside.wait(self._client.search(text, stream=stream, limit=limit, **when))

    def forget(
        self,
        everything: Literal["all"] | TimeRange | None = None,
        *,
        stream: str | None = None,
        **when: Unpack[When],
    ) -> Forgotten:
        """As Client.forget."""
        return self._aside.wait(self._client.forget(everything, stream=stream, **when))

    def add_stream(self, name: str, url: str, **settings: object) -> StreamStatus:
        """As Client.add_stream."""
        return self._aside.wait(self._client.add_stream(name, url, **settings))

    def remove_stream(self, name: str, *, forget: bool = False) -> None:
        """As Client.remove_stream."""
        self._aside.wait(self._client.remove_stream(name, forget=forget))

    def pause_stream(self, name: str) -> StreamStatus:
        """As Client.pause_stream."""
        return self._aside.wait(self._client.pause_stream(name))

    def resume_stream(self, name: str) -> StreamStatus:
        """As Client.resume_stream."""
        return self._aside.wait(self._client.resume_stream(name))

    def change(self, change: Change) -> Changed:
        """As Client.change."""
        return self._aside.wait(self._client.change(change))

    def subscribe(self, *topics: str) -> None:
        """As Client.subscribe."""
        self._aside.wait(self._client.subscribe(*topics))

    def changes(self) -> Iterator[Changed]:
        """As Client.changes."""
        return self._aside.each(self._client.changes())

    def pushed(self, topic: str) -> Iterator[JsonObject]:
        """As Client.pushed."""
        return self._aside.each(self._client.pushed(topic))

    def status(self) -> ServerStatus:
        """As Client.status."""
        return self._aside.wait(self._client.status())

    def ping(self) -> None:
        """As Client.ping."""
        self._aside.wait(self._client.ping())

    def told(self, kind: str, **fields: Json) -> JsonObject:
        """As Client.told."""
        return self._aside.wait(self._client.told(kind, **fields))


class SyncWatching:
    """As `Watching`: an iterator over what a watch tells; `with` deletes it when the block is left."""

    def __init__(self, watching: Watching, aside: Aside) -> None:
        self._watching = watching
        self._aside = aside

    @property
    def status(self) -> WatchStatus:
        """The watch as it was made."""
        assert self._watching.status is not None
        return self._watching.status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.delete()

    def __iter__(self) -> Iterator[WatchEvent]:
        return self._aside.each(self._watching)

    def delete(self) -> None:
        """As Watching.delete."""
        self._aside.wait(self._watching.delete())


@contextmanager
def beside(entering: AbstractAsyncContextManager[Client]) -> Iterator[SyncClient]:
    """A client on a thread of its own."""
    with Aside() as aside:

        async def enter() -> Client:
            return await entering.__aenter__()

        async def leave() -> None:
            await entering.__aexit__(None, None, None)

        client = aside.wait(enter())
        try:
            yield SyncClient(client, aside)
        finally:
            aside.wait(leave())


def connect_sync(
    address: str,
    *,
    token: str | None = None,
    stream: str | None = None,
    ca: str | None = None,
    timeout_s: float = 10.0,
    reconnect: bool | Retry = True,
) -> AbstractContextManager[SyncClient]:
    """As `connect`, for programs without asyncio."""
    return beside(
        connect(
            address,
            token=token,
            stream=stream,
            ca=ca,
            timeout_s=timeout_s,
            reconnect=reconnect,
        )
    )
