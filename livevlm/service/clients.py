"""Clients: the sessions there are, over which socket each goes on, and what becomes of one whose socket is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from livevlm.metrics import Metrics
from livevlm.service.connection import Connection
from livevlm.service.link import Link
from livevlm.service.outbox import Ending
from livevlm.service.resumption import NotResumable, Resume, Resumption

logger = logging.getLogger(__name__)

TAKEN_OVER, SLOW_CONSUMER = 4409, 4413


class Clients:
    """For one asyncio loop. `changed` is called when a socket or a session has ended."""

    def __init__(
        self, resumption: Resumption[Connection], *, metrics: Metrics, changed: Callable[[], None]
    ) -> None:
        self.links: set[Link] = set()
        self._sessions: set[Connection] = set()
        self._resumption = resumption
        self._metrics = metrics
        self._changed = changed
        metrics.observe_clients(lambda: sum(client.kept_bytes for client in self))

    def __iter__(self) -> Iterator[Connection]:
        """All sessions, also those whose client is away."""
        return iter(list(self._sessions))

    @property
    def waiting(self) -> bool:
        """Whether any answer has yet to end."""
        return any(client.waiting for client in self._sessions)

    def open(self, link: Link, client: Connection) -> None:
        """A client has come: greet it."""
        self.links.add(link)
        self._sessions.add(client)
        self._metrics.client_connected()
        link.carry(client, client.outbox)
        client.open(self._resumption.admit(client, link.caller))

    def receive(self, link: Link, message: str | bytes) -> None:
        """A client says something."""
        client = link.client
        if client is None:
            return  # the session goes on elsewhere, or is over
        if link.resumed:
            link.resumed = False
            self._resumption.spoken(client)
        wish = client.receive(message)
        if wish is not None:
            self._resume(link, client, wish)

    def lost(self, link: Link) -> None:
        """A socket has ended: its session waits for its client, unless that has left in order."""
        client, link.client = link.client, None
        if client is None:
            return
        if link.left or client.finished:
            self.end(client)
            return
        client.lose()
        for dropped in self._resumption.lose(client):
            self.end(dropped)

    def gone(self, link: Link) -> None:
        """Nothing is left of a socket."""
        self.links.discard(link)
        self._metrics.client_gone()
        self._changed()

    def overflow(self, client: Connection) -> None:
        """More waits for a client than may. One that is away cannot come back any more."""
        link = self._link_of(client)
        if link is None:
            self.end(client)
            return
        self._drop_slow(link)

    def drop_unread(self, most_bytes: int) -> None:
        """Close those who send pings and read no answers: these are written past the outbox."""
        for link in list(self.links):
            if link.client is not None and link.unread_bytes > most_bytes:
                self._drop_slow(link)

    def expire(self) -> None:
        """End the sessions whose clients have stayed away for too long."""
        for client in self._resumption.expired():
            self.end(client)

    def end_away(self) -> None:
        """Nobody may come back from now on: end the sessions whose clients are away."""
        for client in self._resumption.end():
            self.end(client)

    def finish(self, ending: Ending) -> None:
        """Send what is queued, then close all sockets so."""
        for client in self:
            client.finish(ending)

    def end(self, client: Connection) -> None:
        """A session is over, whatever becomes of its socket."""
        self._sessions.discard(client)
        self._resumption.forget(client)
        client.leave()

    def _resume(self, link: Link, client: Connection, wish: Resume) -> None:
        """Have an earlier session go on over this link in the place of `client`, or tell why it cannot."""
        try:
            earlier = self._resumption.find(wish.token, link.caller)
            if earlier is client:
                raise NotResumable("this token is of the session that has just begun")
            self._check(earlier, wish)
            ticket = self._resumption.renew(wish.token, link.caller)
        except NotResumable as error:
            client.refuse(wish, error)
            return
        self._take_over(earlier)
        client.make_way()
        self._sessions.discard(client)
        self._resumption.forget(client)
        link.carry(earlier, earlier.resume(wish, ticket))
        link.resumed = True

    def _check(self, earlier: Connection, wish: Resume) -> None:
        """Raises NotResumable where what was missed is not kept. Nobody comes back to that session: it ends."""
        try:
            earlier.check(wish)
        except NotResumable:
            self._take_over(earlier)
            self.end(earlier)
            raise

    def _take_over(self, client: Connection) -> None:
        """Close the socket that a session had so far, if it still seems open."""
        link = self._link_of(client)
        if link is not None:
            link.client = None
            link.cut(TAKEN_OVER, "this session goes on over another connection")

    def _drop_slow(self, link: Link) -> None:
        logger.warning("a client reads too slowly and is closed")
        self._metrics.slow_client_closed()
        link.cut(SLOW_CONSUMER, "this client reads too slowly")
        self.lost(link)

    def _link_of(self, client: Connection) -> Link | None:
        return next((link for link in self.links if link.client is client), None)
