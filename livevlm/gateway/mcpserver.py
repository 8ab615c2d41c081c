"""The tools as an MCP server on standard input and output, which carry the protocol and nothing else."""

from __future__ import annotations

import asyncio
import base64
import json

from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from livevlm import __version__
from livevlm.errors import LiveVLMError
from livevlm.gateway.asking import Dial
from livevlm.gateway.frames import Album
from livevlm.gateway.specs import SPECS
from livevlm.gateway.toolbox import Outcome, Toolbox
from livevlm.service.frames import JPEG

GUIDE = (
    "LiveVLM watches live video streams, remembers them, and answers questions about what they show or have shown."
    " Begin with list_streams. Times in answers come from the memory's index, not from the model's words."
)


def run(dial: Dial, album: Album) -> int:
    """Serve until standard input ends; the exit code."""
    asyncio.run(_serve(server_of(Toolbox(dial, album))))
    return 0


async def _serve(server: Server) -> None:
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def server_of(toolbox: Toolbox) -> Server:
    """The server that offers these tools. What a tool is refused is an error that the assistant reads; the server goes on."""

    async def list_tools(
        _: ServerRequestContext, __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools())

    async def call_tool(
        _: ServerRequestContext, asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            outcome = await toolbox.call(asked.name, asked.arguments or {})
        except LiveVLMError as error:
            told = types.TextContent(text=f"{error.code}: {error.message}")
            return types.CallToolResult(content=[told], is_error=True)
        return result_of(outcome)

    return Server(
        "livevlm",
        version=__version__,
        instructions=GUIDE,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def tools() -> list[types.Tool]:
    """The tools as the protocol describes them."""
    return [
        types.Tool(
            name=spec.name,
            title=spec.title,
            description=spec.purpose,
            input_schema=spec.schema(),
            annotations=types.ToolAnnotations(
                read_only_hint=not spec.changes, open_world_hint=False
            ),
        )
        for spec in SPECS
    ]


def result_of(outcome: Outcome) -> types.CallToolResult:
    """JSON as data and as text, for assistants of either kind; a picture as one."""
    if isinstance(outcome, bytes):
        picture = types.ImageContent(data=base64.b64encode(outcome).decode(), mime_type=JPEG)
        return types.CallToolResult(content=[picture])
    text = types.TextContent(text=json.dumps(outcome, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=outcome)
