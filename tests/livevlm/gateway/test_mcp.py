"""The tools as assistants meet them: through the SDK's own client, in this process and over real pipes."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from livevlm.gateway.frames import Album
from livevlm.gateway.mcpserver import server_of
from livevlm.gateway.specs import SPECS
from livevlm.gateway.toolbox import Toolbox
from livevlm.messages import Measure, Search, TimeRange
from livevlm.metrics import Metrics
from livevlm.service.server import Server, ServerOptions
from tests.livevlm.gateway.doors import to
from tests.livevlm.service.fake_service import JPEG, FakeService
from tests.livevlm.service.serving import Running, on_loop, running

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "s3cret"


@asynccontextmanager
async def assisted(
    *streams: str, options: ServerOptions | None = None
) -> AsyncIterator[tuple[Running, Client]]:
    """A daemon, and an assistant that has its tools."""
    token = None if options is None else options.token
    async with running(*streams, options=options) as where:
        toolbox = Toolbox(to(where.address, token), Album(address=where.address, token=token))
        async with Client(server_of(toolbox)) as client:
            yield where, client


async def use(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool gives; the same as data and as text."""
    found = await client.call_tool(tool, arguments)
    assert not found.is_error, found.content
    assert json.loads(found.content[0].text) == found.structured_content
    given: dict[str, Any] = found.structured_content
    return given


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What a tool says that it cannot do."""
    found = await client.call_tool(tool, arguments)
    assert found.is_error
    said: str = found.content[0].text
    return said


@on_loop
async def test_the_tools_are_described() -> None:
    """An assistant learns what each is for, what it takes, and which of them change something."""
    async with assisted() as (_, client):
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(listed) == [spec.name for spec in SPECS]
    assert all(tool.description and tool.title for tool in listed.values())
    assert listed["ask_stream"].input_schema["required"] == ["question"]
    changing = {
        name for name, tool in listed.items() if not (tool.annotations or tool).read_only_hint
    }
    assert changing == {"create_watch", "remove_watch"}


@on_loop
async def test_streams_can_be_listed_and_asked_about() -> None:
    """The answer comes with what it was given from; frames of it can be looked at."""
    async with assisted("front", "yard") as (where, client):
        listed = await use(client, "list_streams")
        answer = await use(
            client, "ask_stream", question="who?", stream="yard", **{"from": 5, "to": "8"}
        )
        (question,) = where.service.questions
    assert [stream["name"] for stream in listed["streams"]] == ["front", "yard"]
    assert (listed["ready"], listed["model"]) == (True, "fake")
    assert (answer["answer"], answer["stream"]) == ("You asked: who?", "yard")
    assert answer["as_of"]["stream_s"] == 12.5
    assert (answer["evidence"][0]["from_s"], answer["evidence"][0]["frame"]) == (3.0, 4)
    assert (question.stream, question.time) == ("yard", TimeRange(from_s=5, to_s=8))


@on_loop
async def test_memory_can_be_searched_and_measured() -> None:
    """Where something was seen, and how much is remembered."""
    async with assisted() as (where, client):
        found = await use(client, "search_memory", query="a cup", last="2h", limit=3)
        sizes = await use(client, "memory_stats")
        search, measure = where.service.errands
    assert found["found"][0]["frame"] == 4
    assert search == Search(stream="front", text="a cup", time=TimeRange(last_s=7200), limit=3)
    assert measure == Measure(stream=None)
    assert sizes["memories"][0]["pictures"] == 1024


@pytest.mark.parametrize("options", [None, ServerOptions(token=TOKEN)])
@on_loop
async def test_a_frame_is_a_picture(options: ServerOptions | None) -> None:
    """By its number, by a moment, or the newest, with the token where there is one."""
    async with assisted(options=options) as (_, client):
        for which in ({"frame": 4}, {"at": 4.5}, {}):
            found = await client.call_tool("get_frame", which)
            assert not found.is_error, found.content
            (picture,) = found.content
            assert picture.type == "image"
            assert (base64.b64decode(picture.data), picture.mime_type) == (JPEG, "image/jpeg")
        assert "No picture of this is kept" in await refused(client, "get_frame", frame=5)
        assert "frame_not_found" in await refused(client, "get_frame", stream="attic")
        assert "not both" in await refused(client, "get_frame", frame=4, at=2)


@on_loop
async def test_watches_are_made_listed_and_removed() -> None:
    """They stay with the daemon when the call that made them is over."""
    async with assisted() as (_, client):
        made = await use(
            client,
            "create_watch",
            condition="a red car stops",
            name="red",
            mode="once",
            threshold=0.7,
        )
        (listed,) = (await use(client, "list_watches"))["watches"]
        gone = await use(client, "remove_watch", watch="red")
        assert (await use(client, "list_watches"))["watches"] == []
        assert "red" in await refused(client, "remove_watch", watch="red")
    assert listed == made
    assert gone["removed"]["id"] == made["id"]
    assert (made["condition"], made["mode"], made["threshold"]) == ("a red car stops", "once", 0.7)


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("ask_stream", {}, "needs the argument question"),
    ("ask_stream", {"question": " "}, "question must be"),
    ("ask_stream", {"question": 7}, "question must be"),
    ("ask_stream", {"question": "a", "strem": "front"}, "did you mean stream"),
    ("ask_stream", {"question": "a", "last": "soon"}, "15m"),
    ("ask_stream", {"question": "a", "stream": "attic"}, "stream_not_found"),
    ("ask_stream", {"question": "nothing yet"}, "no_frames_yet"),
    ("ask_stream", {"question": "fail"}, "out_of_memory"),
    ("search_memory", {"query": "full"}, "queue_full"),
    ("create_watch", {"condition": "a", "webhook": {"url": "http://x"}}, "webhook"),
    ("create_watch", {"condition": "a", "threshold": 2}, "threshold"),
    ("list_streams", {"stream": "front"}, "takes none"),
    ("open_door", {}, "there is no tool open_door"),
]


@on_loop
async def test_what_cannot_be_done_is_told_to_the_assistant() -> None:
    """In words that it can act on; it may post nowhere, and the server goes on."""
    async with assisted() as (_, client):
        for tool, arguments, said in REFUSALS:
            assert said in await refused(client, tool, **arguments)
        assert await use(client, "list_watches") == {"watches": []}


@on_loop
async def test_over_pipes_a_daemon_may_go_and_come_back() -> None:
    """The command in a process of its own: a daemon that is away is an error of the tool, and not the end."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LIVEVLM_")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "livevlm", "mcp", "--server", f"127.0.0.1:{port}"],
        env=own,
        cwd=ROOT,
    )
    async with Client(command) as client:
        assert client.server_info is not None
        assert client.server_info.name == "livevlm"
        for _ in range(2):
            away = await refused(client, "ask_stream", question="who?")
            assert "server_unreachable" in away
            assert "livevlm serve" in away
            with FakeService() as service:
                server = Server(service, host="127.0.0.1", port=port, metrics=Metrics())
                async with server:
                    answer = await use(client, "ask_stream", question="who?")
            assert answer["answer"] == "You asked: who?"


def test_standard_output_carries_the_protocol_alone() -> None:
    """Every line of it is a message, also when what came in is none; when the input ends, so does the server."""
    first = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        },
    }
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_streams"}}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    lines = [json.dumps(message) for message in (first, ready, call)]
    ended = subprocess.run(
        [sys.executable, "-m", "livevlm", "mcp", "-v", "--server", "127.0.0.1:1"],
        input="\n".join([*lines[:2], "this is no message", lines[2], ""]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0
    assert {message["jsonrpc"] for message in said} == {"2.0"}
    (told,) = [message["result"] for message in said if message.get("id") == 2]
    assert told["isError"]
