"""A connection whose client is away, or was closed on purpose: no socket is needed to see what is kept."""

from __future__ import annotations

import pytest

from livevlm.service.backlog import Backlog
from livevlm.service.connection import Connection
from livevlm.service.options import SessionOptions
from livevlm.service.outbox import Ending, Outbox
from livevlm.service.protocol import Session
from livevlm.service.resumption import NotResumable, Resume, Ticket
from tests.livevlm.service.fake_service import FakeService
from tests.livevlm.service.serving import on_loop

PING = '{"type": "ping"}'
WISH = Resume(token="t", last_seq=0)


class Opened:
    """A connection that has greeted, with little room."""

    def __init__(self) -> None:
        self.overflows = 0
        service = FakeService()
        self.connection = Connection(
            Session(service, options=SessionOptions()),
            service=service,
            outbox=Outbox(Backlog(2000)),
            changed=lambda: None,
            overflow=self._overflow,
        )
        self.connection.open(Ticket(token="t", for_s=60))

    def pings_until_full(self) -> int:
        """How many answers to pings fit until it is told that too much waits."""
        count, before = 0, self.overflows
        while self.overflows == before:
            self.connection.receive(PING)
            count += 1
        return count

    def _overflow(self, _: Connection) -> None:
        self.overflows += 1


@on_loop
async def test_what_comes_while_the_client_is_away_has_more_room() -> None:
    """Who was closed for reading too slowly could otherwise never come back: its room is full."""
    opened = Opened()
    opened.pings_until_full()
    opened.connection.lose()
    assert opened.pings_until_full() > 5


@on_loop
async def test_a_session_that_was_closed_on_purpose_is_not_resumed() -> None:
    """Not even before its socket is gone: who does not take part in the closing could otherwise go on over another one."""
    opened = Opened()
    opened.connection.check(WISH)
    opened.connection.finish(Ending(4429, "too fast"))
    with pytest.raises(NotResumable, match="closed by the daemon"):
        opened.connection.check(WISH)


@on_loop
async def test_a_resumed_session_answers_over_its_new_socket_alone() -> None:
    """The outbox of the old socket gives out nothing any more; the new one begins with session.resumed."""
    opened = Opened()
    old = opened.connection.outbox
    new = opened.connection.resume(WISH, Ticket(token="u", for_s=60))
    opened.connection.receive(PING)
    assert await old.get() is None
    for kind in ("session.resumed", "session.created", "pong"):
        assert f'"type":"{kind}"' in (await new.get() or "")
