"""The outbox: one socket's end of a backlog, in order, and closed for good."""

from __future__ import annotations

import asyncio
import json

from livevlm.service.backlog import Backlog
from livevlm.service.outbox import Ending, Outbox
from livevlm.service.wire import JsonObject
from tests.livevlm.service.serving import on_loop


async def name_of(outbox: Outbox) -> str | None:
    """What is got next, by its name; None at the end."""
    text = await outbox.get()
    return None if text is None else str(json.loads(text)["type"])


@on_loop
async def test_whoever_waits_is_woken_by_an_event_and_by_the_end() -> None:
    """None tells that there is no more to come, also to who was waiting already."""
    outbox = Outbox(Backlog(1000))
    waiting = asyncio.create_task(name_of(outbox))
    await asyncio.sleep(0)
    outbox.put({"type": "hello"})
    assert await waiting == "hello"
    waiting = asyncio.create_task(name_of(outbox))
    await asyncio.sleep(0)
    outbox.close()
    assert await waiting is None


@on_loop
async def test_a_closed_outbox_gives_what_it_has_and_takes_no_more() -> None:
    """Closing is gentle, and the first reason that is given for it stays."""
    outbox = Outbox(Backlog(1000))
    outbox.put({"type": "last"})
    outbox.close(Ending(4429, "too fast"))
    outbox.close(Ending(1001, "the daemon is stopping"))
    assert outbox.put({"type": "too late"})
    assert await name_of(outbox) == "last"
    assert await name_of(outbox) is None
    assert outbox.ending == Ending(4429, "too fast")


@on_loop
async def test_it_is_asked_once_how_far_the_client_has_got() -> None:
    """Not for every event, and not before much was got; what is told of a socket that was lost counts no more."""
    backlog = Backlog(1600)
    outbox = Outbox(backlog)
    event: JsonObject = {"type": "x" * 100}
    assert outbox.put(event)
    await outbox.get()
    assert outbox.to_ask() is None
    outbox.put(event)
    await outbox.get()
    assert (outbox.to_ask(), outbox.to_ask()) == (2, None)
    outbox.put(event)
    await outbox.get()
    outbox.told(2)
    assert backlog.kept_bytes < 150
    outbox.put(event)
    await outbox.get()
    assert outbox.to_ask() == 4
    outbox.discard()
    outbox.told(4)
    assert backlog.rewind(2) == 2


@on_loop
async def test_what_a_discarded_outbox_has_not_given_is_for_the_next_one() -> None:
    """A socket that is lost takes no event with it, and nobody who waited there gets one any more."""
    backlog = Backlog(1000)
    outbox = Outbox(backlog)
    waiting = asyncio.create_task(name_of(outbox))
    await asyncio.sleep(0)
    outbox.discard()
    outbox.put({"type": "kept"})
    assert await waiting is None
    successor = Outbox(backlog, greeting={"type": "greeting", "seq": 0})
    assert [await name_of(successor), await name_of(successor)] == ["greeting", "kept"]
    assert backlog.rewind(0) == 1  # the greeting belongs to the socket, not to the session
