"""Streams on the wire: the commands of `stream.*` that change them, what came of it as events, and events as changes again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast

from livevlm.changes import AddStream, Change, Changed, PauseStream, RemoveStream, ResumeStream
from livevlm.configfile import stream_settings
from livevlm.messages import StreamStatus
from livevlm.service.fields import Fields, InvalidRequest
from livevlm.service.wire import JsonObject, child, read_status, status_json
from livevlm.watchconfig import PLAIN_NAME

ENVELOPE = ("type", "event_id", "name")
MAX_URL = 4096
CHANGES = ("added", "updated", "removed")
WHOSE_ENVIRONMENT = "url_env: a variable of the daemon's environment cannot be named from outside; send the url itself"

Noted = tuple[str, str, str | None, str | None]


def read_add(event: Fields) -> AddStream:
    """`stream.add`: a name, and what a [streams.NAME] table holds. Raises InvalidRequest, which never repeats the url."""
    name, table = _name(event), event.besides(ENVELOPE)
    if "url_env" in event:
        # Its value would be opened, and then told as what cannot be opened.
        raise InvalidRequest(WHOSE_ENVIRONMENT, param="url_env")
    if not event.text("url", limit=MAX_URL):
        raise InvalidRequest("url: say where the stream comes from", param="url")
    return AddStream(name=name, settings=stream_settings(name, table))


def read_remove(event: Fields) -> RemoveStream:
    """`stream.remove`: a name, and whether to forget. Raises InvalidRequest."""
    forget = event.raw("forget")
    if not isinstance(forget, bool | None):
        raise event.invalid("forget", "true or false")
    return RemoveStream(name=_name(event), forget=forget or False)


def read_pause(event: Fields) -> PauseStream:
    """`stream.pause`: a name. Raises InvalidRequest."""
    return PauseStream(name=_name(event))


def read_resume(event: Fields) -> ResumeStream:
    """`stream.resume`: a name. Raises InvalidRequest."""
    return ResumeStream(name=_name(event))


def _name(event: Fields) -> str:
    name = event.text("name")
    if name is None or not PLAIN_NAME.fullmatch(name):
        raise InvalidRequest(
            "name must be a stream's name: at most 63 letters, digits, - and _, the first no sign",
            param="name",
        )
    return name


def change_event(change: Change) -> tuple[str, JsonObject]:
    """The event that asks for a change, by its type and its fields."""
    match change:
        case AddStream():
            given: JsonObject = change.settings.model_dump(exclude_unset=True)
            return "stream.add", {"name": change.name, **given}
        case RemoveStream():
            return "stream.remove", {"name": change.name, "forget": change.forget}
        case PauseStream():
            return "stream.pause", {"name": change.name}
        case ResumeStream():
            return "stream.resume", {"name": change.name}


def changed_json(changed: Changed) -> tuple[str, JsonObject]:
    """The event that tells a change, by its type and its fields."""
    if changed.status is None:
        return "stream.removed", {"name": changed.name}
    kind = "stream.added" if changed.what == "added" else "stream.updated"
    return kind, {"name": changed.name, "stream": status_json(changed.status)}


def read_changed(event: JsonObject) -> Changed | None:
    """The reverse of `changed_json`; None where the event tells no change."""
    what = str(event.get("type")).removeprefix("stream.")
    if what not in CHANGES:
        return None
    status = child(event, "stream")
    return Changed(
        what=cast(Literal["added", "updated", "removed"], what),
        name=str(event.get("name", "")),
        status=read_status(status) if status else None,
    )


class News:
    """What a subscriber knows of the streams, and what is new to it."""

    def __init__(self, statuses: Iterable[StreamStatus]) -> None:
        self._known = {status.name: _noted(status) for status in statuses}

    def of(self, statuses: Sequence[StreamStatus]) -> list[Changed]:
        """What has changed since the last look: streams that came and went, another state, error or source."""
        before, self._known = self._known, {status.name: _noted(status) for status in statuses}
        gone = [
            Changed(what="removed", name=name, status=None)
            for name in before
            if name not in self._known
        ]
        return gone + [
            Changed(
                what="updated" if status.name in before else "added",
                name=status.name,
                status=status,
            )
            for status in statuses
            if before.get(status.name) != self._known[status.name]
        ]


def _noted(status: StreamStatus) -> Noted:
    return status.source, status.state, status.error_code, status.error
