"""Reading fields of a client's JSON: every wrong one becomes an `InvalidRequest` that names it by its path."""

from __future__ import annotations

from collections.abc import Container

from livevlm.errors import LiveVLMError
from livevlm.service.wire import Json, JsonObject
from streams.redact import redact

MAX_NAME = 100
MAX_SHOWN = 1000


class InvalidRequest(LiveVLMError):
    """A client's event that cannot be obeyed. `param` is the path of the field that is wrong, where one is."""

    code = "invalid_value"
    kind = "invalid_request_error"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str = "invalid_value",
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.kind = kind


class Fields:
    """One JSON object and where it stands, read field by field. A field that is absent or null reads as None."""

    def __init__(self, value: JsonObject, path: str = "") -> None:
        self._value = value
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def path(self, name: str) -> str:
        """The path of a field, as errors name it."""
        return f"{self._path}.{name}" if self._path else name

    def invalid(self, name: str, wanted: str) -> InvalidRequest:
        """The error for a field that holds something else than `wanted`."""
        found = self._value.get(name)
        return InvalidRequest(
            f"{self.path(name)} must be {wanted}, not {shown(found)}", param=self.path(name)
        )

    def raw(self, name: str) -> Json:
        """The field as it is."""
        return self._value.get(name)

    def besides(self, names: Container[str]) -> JsonObject:
        """All fields but those of these names; one with an endless name is an error."""
        found = {name: value for name, value in self._value.items() if value is not None}
        for name in found:
            if len(name) > MAX_NAME:
                raise InvalidRequest(f"{self.path(name[:MAX_NAME])}... is no field")
        return {name: value for name, value in found.items() if name not in names}

    def text(self, name: str, *, limit: int | None = None) -> str | None:
        """A string of at most `limit` characters."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.invalid(name, "a string")
        if limit is not None and len(value) > limit:
            raise InvalidRequest(
                f"{self.path(name)} has {len(value)} characters, more than the {limit} allowed",
                param=self.path(name),
            )
        return value

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`."""
        value = self._value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.invalid(name, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number from `low` to `high`."""
        value = self._value.get(name)
        if value is None:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not low <= value <= high
        ):
            raise self.invalid(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def child(self, name: str) -> Fields:
        """An object; an empty one when the field is absent."""
        value = self._value.get(name)
        if value is None:
            return Fields({}, self.path(name))
        if not isinstance(value, dict):
            raise self.invalid(name, "an object")
        return Fields(value, self.path(name))

    def children(self, name: str) -> list[Fields]:
        """A list of objects; an empty one when the field is absent."""
        value = self._value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.invalid(name, "a list of objects")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                where = f"{self.path(name)}[{index}]"
                raise InvalidRequest(f"{where} must be an object, not {shown(item)}", param=where)
        return [
            Fields(item, f"{self.path(name)}[{index}]")
            for index, item in enumerate(value)
            if isinstance(item, dict)
        ]

    def texts(self, name: str) -> list[str] | None:
        """A list of strings."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.invalid(name, "a list of strings")
        return [str(item) for item in value]


def shown(value: Json) -> str:
    """A client's value, short enough for an error message."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 10**20:
            return "a huge number"
    # Redacted before it is cut: half of an address does not show any more what in it is a password.
    text = ascii(redact(value[:MAX_SHOWN]) if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."
