"""The `openai` package's own Realtime client holds a conversation with a real server: nothing but its address is special."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from livevlm.service.server import ServerOptions
from tests.livevlm.service.serving import Running, on_loop, running

TOKEN = "s3cret"


@asynccontextmanager
async def stock(where: Running) -> AsyncIterator[AsyncRealtimeConnection]:
    """The stock client, connected; its key is the server's token."""
    client = AsyncOpenAI(api_key=TOKEN, base_url=f"http://{where.address}/v1")
    options = {"proxy": None}
    async with client.realtime.connect(
        model="bundled",
        websocket_connection_options=options,  # type: ignore[arg-type]
    ) as connection:
        yield connection
    await client.close()


async def heard(connection: AsyncRealtimeConnection, kind: str) -> list[Any]:
    """The client's events up to the next one of a kind."""
    events: list[Any] = [await connection.recv()]
    while events[-1].type != kind:
        events.append(await connection.recv())
    return events


async def say(connection: AsyncRealtimeConnection, text: str) -> str:
    """Add a message of the user; the id that it was given."""
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )
    added = (await heard(connection, "conversation.item.done"))[-1]
    item_id: str = added.item.id
    return item_id


@on_loop
async def test_the_stock_client_holds_a_conversation() -> None:
    """Two turns, streamed; the second is asked with the first; response.done holds text and usage."""
    options = ServerOptions(token=TOKEN)
    async with running(options=options) as where, stock(where) as connection:
        created: Any = await connection.recv()
        await connection.session.update(
            session={"type": "realtime", "instructions": "Be brief.", "output_modalities": ["text"]}
        )
        updated = (await heard(connection, "session.updated"))[-1]
        await say(connection, "what is on the table?")
        await connection.response.create()
        first = await heard(connection, "response.done")
        await say(connection, "and now?")
        extras: Any = {"livevlm": {"history_turns": 1}}
        await connection.response.create(response=extras)
        second = await heard(connection, "response.done")
    assert created.type == "session.created"
    assert created.session.id
    assert updated.session.instructions == "Be brief."
    deltas = [event.delta for event in first if event.type == "response.output_text.delta"]
    assert deltas == ["A ", "red ", "cup."]
    done = first[-1].response
    assert (done.status, done.output[0].content[0].text) == ("completed", "A red cup.")
    assert (done.usage.output_tokens, done.usage.total_tokens) == (3, 412)
    assert second[-1].response.output[0].content[0].text == "You asked: Be brief.\n\nand now?"
    (earlier,) = where.service.questions[-1].earlier
    assert (earlier.question, earlier.answer) == ("what is on the table?", "A red cup.")


@on_loop
async def test_the_stock_client_cancels() -> None:
    """response.cancel, and the answer ends with what it had."""
    options = ServerOptions(token=TOKEN)
    async with running(options=options) as where, stock(where) as connection:
        await say(connection, "hold")
        await connection.response.create()
        begun = await heard(connection, "response.output_text.delta")
        response = next(event.response for event in begun if event.type == "response.created")
        await connection.response.cancel(response_id=response.id)
        done = (await heard(connection, "response.done"))[-1].response
    assert (done.status, done.status_details.reason) == ("cancelled", "client_cancelled")


@on_loop
async def test_the_stock_client_reads_errors_and_goes_on() -> None:
    """An error names code and field; what this server does not do is refused in words, not by hanging up."""
    options = ServerOptions(token=TOKEN)
    async with running(options=options) as where, stock(where) as connection:
        await connection.input_audio_buffer.append(audio="AAAA")
        audio = (await heard(connection, "error"))[-1].error
        await connection.conversation.item.delete(item_id="gone")
        gone = (await heard(connection, "error"))[-1].error
        item_id = await say(connection, "and now?")
        await connection.conversation.item.retrieve(item_id=item_id)
        found = (await heard(connection, "conversation.item.retrieved"))[-1]
        await connection.conversation.item.delete(item_id=item_id)
        deleted = (await heard(connection, "conversation.item.deleted"))[-1]
    assert (audio.code, audio.param) == ("unknown_event", "type")
    assert (gone.code, gone.param) == ("item_not_found", "item_id")
    assert found.item.content[0].text == "and now?"
    assert deleted.item_id == item_id


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager")
@on_loop
async def test_the_blocking_stock_client_speaks_the_same() -> None:
    """The one without asyncio. How it opens its websocket is a matter between it and its library, which warns of it."""

    def talk(address: str) -> str:
        client = OpenAI(api_key=TOKEN, base_url=f"http://{address}/v1")
        options = {"proxy": None}
        with client.realtime.connect(
            model="bundled",
            websocket_connection_options=options,  # type: ignore[arg-type]
        ) as connection:
            connection.conversation.item.create(
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "what is on the table?"}],
                }
            )
            connection.response.create()
            for event in connection:
                if event.type == "response.done":
                    return str(event.response.to_dict())
        return ""

    async with running(options=ServerOptions(token=TOKEN)) as where:
        assert "A red cup." in await asyncio.to_thread(talk, where.address)
