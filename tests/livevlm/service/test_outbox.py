"""The outbox: bounded in bytes, in order, and closed for good."""

from __future__ import annotations

import asyncio

from livevlm.service.outbox import Outbox
from tests.livevlm.service.serving import on_loop


@on_loop
async def test_texts_leave_in_order_and_make_room() -> None:
    """What was taken out may be put in again, for ever."""
    outbox = Outbox(10)
    for number in range(100):
        assert outbox.put(f"{number:05}")
        assert outbox.put("fives")
        assert not outbox.put("x")
        assert await outbox.get() == f"{number:05}"
        assert await outbox.get() == "fives"


@on_loop
async def test_one_text_always_fits_when_nothing_waits() -> None:
    """A limit smaller than an event must not make the event unsendable."""
    outbox = Outbox(10)
    assert outbox.put("x" * 100)
    assert not outbox.put("")  # and behind it, nothing fits
    assert await outbox.get() == "x" * 100
    assert outbox.put("")


@on_loop
async def test_whoever_waits_is_woken_by_a_text_and_by_the_end() -> None:
    """None tells that there is no more to come, also to who was waiting already."""
    outbox = Outbox(10)
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.put("hello")
    assert await waiting == "hello"
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    outbox.close()
    assert await waiting is None


@on_loop
async def test_a_closed_outbox_gives_what_it_has_and_takes_no_more() -> None:
    """Closing is gentle, discarding is not."""
    outbox = Outbox(10)
    outbox.put("last")
    outbox.close()
    assert outbox.put("too late")
    assert await outbox.get() == "last"
    assert await outbox.get() is None
    hasty = Outbox(10)
    hasty.put("never")
    hasty.discard()
    assert await hasty.get() is None
