"""The protocol as a JSON Schema: what a client may send and what the server sends, one definition an event.

The limits are those of the code that reads. docs/protocol.schema.json is this, written down by `livevlm schema`.
"""

from __future__ import annotations

from livevlm.service.schema.heard import heard, heard_shapes
from livevlm.service.schema.kinds import any_of, ref
from livevlm.service.schema.said import said, said_shapes
from livevlm.service.wire import PROTOCOL, Json, JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def protocol_schema() -> JsonObject:
    """The schema of one event, whoever sends it. `$defs` holds `client` and `server` for each side alone, and every event as
    `client.TYPE` or `server.TYPE`.
    """
    events: dict[str, dict[str, JsonObject]] = {"client": heard(), "server": said()}
    sides: JsonObject = {
        side: any_of(*(ref(f"{side}.{kind}") for kind in kinds)) for side, kinds in events.items()
    }
    single: dict[str, Json] = {
        f"{side}.{kind}": schema for side, kinds in events.items() for kind, schema in kinds.items()
    }
    return {
        "$schema": DIALECT,
        "title": f"An event of the protocol {PROTOCOL}",
        **any_of(ref("client"), ref("server")),
        "$defs": {**sides, **heard_shapes(), **said_shapes(), **single},
    }
