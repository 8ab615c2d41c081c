"""Words that the protocol's schema is written in: kinds of values as JSON Schema."""

from __future__ import annotations

from livevlm.service.wire import Json, JsonObject

TEXT: JsonObject = {"type": "string"}
FLAG: JsonObject = {"type": "boolean"}
NUMBER: JsonObject = {"type": "number"}
COUNT: JsonObject = {"type": "integer", "minimum": 0}
NULL: JsonObject = {"type": "null"}


def ref(name: str) -> JsonObject:
    """What is defined under a name in `$defs`."""
    return {"$ref": f"#/$defs/{name}"}


def text(limit: int, least: int = 0) -> JsonObject:
    """A string of so many characters at most."""
    return {"type": "string", "maxLength": limit, **({"minLength": least} if least else {})}


def integer(low: int, high: int) -> JsonObject:
    """A whole number."""
    return {"type": "integer", "minimum": low, "maximum": high}


def number(low: float, high: float) -> JsonObject:
    """A number, the ends included."""
    return {"type": "number", "minimum": low, "maximum": high}


def one_of(*values: str) -> JsonObject:
    """One of these strings."""
    return {"enum": [*values]}


def const(value: Json) -> JsonObject:
    """This value."""
    return {"const": value}


def any_of(*schemas: JsonObject) -> JsonObject:
    """What any of the schemas allows."""
    return {"anyOf": [*schemas]}


def maybe(schema: JsonObject) -> JsonObject:
    """The same or null."""
    kind, values = schema.get("type"), schema.get("enum")
    if isinstance(values, list):
        return {**schema, "enum": [*values, None]}
    if isinstance(kind, str):
        return schema if schema == NULL else {**schema, "type": [kind, "null"]}
    return any_of(schema, NULL)


def array(items: JsonObject) -> JsonObject:
    """A list."""
    return {"type": "array", "items": items}


def mapping(values: JsonObject, most: int | None = None) -> JsonObject:
    """An object of any names."""
    limit: JsonObject = {} if most is None else {"maxProperties": most}
    return {"type": "object", "additionalProperties": values, **limit}


def record(fields: dict[str, JsonObject], *, optional: tuple[str, ...] = ()) -> JsonObject:
    """An object with these fields, all of them but the optional ones; others may be added."""
    return {
        "type": "object",
        "properties": {**fields},
        "required": [name for name in fields if name not in optional],
    }


def wishes(
    fields: dict[str, JsonObject], *, needed: tuple[str, ...] = (), only: bool = False
) -> JsonObject:
    """What a client sends: each field but the needed ones may be absent or null. only: no other fields may be there."""
    properties: JsonObject = {
        name: schema if name in needed else maybe(schema) for name, schema in fields.items()
    }
    closed: JsonObject = {"additionalProperties": False} if only else {}
    return {"type": "object", "properties": properties, "required": [*needed], **closed}
