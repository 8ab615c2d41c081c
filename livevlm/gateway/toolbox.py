"""What an assistant may do with a daemon, done: a tool's name and its arguments in, JSON or a picture out.

Nothing here knows how an assistant is spoken to. Arguments are read as the daemon reads its clients' events, so that what is
wrong is named; every error is a LiveVLMError.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from livevlm.errors import LiveVLMError
from livevlm.gateway.asking import Dial
from livevlm.gateway.frames import Album
from livevlm.gateway.specs import SPECS, TIMES, Spec
from livevlm.layers import nearest
from livevlm.messages import Evidence, TimeRange
from livevlm.service.errands import size_json
from livevlm.service.fields import Fields, InvalidRequest
from livevlm.service.items import MAX_ID, MAX_TEXT
from livevlm.service.naming import choose_stream
from livevlm.service.options import AskOptions
from livevlm.service.timespan import time_range
from livevlm.service.watches import read_create, read_delete
from livevlm.service.watches import status_json as watch_json
from livevlm.service.wire import Json, JsonObject, as_of_json, evidence_json, status_json

ANSWER_S = 120.0
MAX_FRAME = 10**15 - 1
# What an assistant is told of a stream; counters would only fill its memory.
TOLD = ("name", "source", "live", "state", "since_utc", "error", "as_of", "memory_from_s")

Outcome = JsonObject | bytes


class Toolbox:
    """The tools. Each call is a session of its own, so that a daemon may go and come back in between."""

    def __init__(self, dial: Dial, album: Album) -> None:
        self._dial = dial
        self._album = album
        self._tools: Mapping[str, Callable[[Fields], Awaitable[Outcome]]] = {
            "list_streams": self._list_streams,
            "ask_stream": self._ask,
            "search_memory": self._search,
            "get_frame": self._frame,
            "create_watch": self._create_watch,
            "list_watches": self._list_watches,
            "remove_watch": self._remove_watch,
            "memory_stats": self._stats,
        }

    async def call(self, name: str, arguments: JsonObject) -> Outcome:
        """Use a tool: JSON, or a JPEG. Raises LiveVLMError."""
        fields = checked(name, arguments)
        return await self._tools[name](fields)

    async def _list_streams(self, _: Fields) -> Outcome:
        async with self._dial() as client:
            status = await client.status()
        streams: list[Json] = []
        for stream in status.streams:
            told = status_json(stream)
            streams.append({name: told[name] for name in TOLD})
        return {"ready": status.ready, "model": status.model, "streams": streams}

    async def _ask(self, fields: Fields) -> Outcome:
        time, stream = _time(fields), fields.text("stream", limit=MAX_ID)
        question = _words(fields, "question")
        options = AskOptions(deadline_s=ANSWER_S)
        async with self._dial() as client:
            answer = await client.ask(question, stream=stream, time=time, options=options)
        return {
            "answer": answer.text,
            "status": answer.status,
            "stream": answer.stream,
            "as_of": as_of_json(answer.as_of),
            "evidence": [span_json(span) for span in answer.evidence],
        }

    async def _search(self, fields: Fields) -> Outcome:
        query, limit = _words(fields, "query"), fields.integer("limit", 1, 1000)
        time, stream = _time(fields), fields.text("stream", limit=MAX_ID)
        async with self._dial() as client:
            found = await client.search(query, stream=stream, time=time, limit=limit)
        return {
            "stream": found.stream,
            "as_of": as_of_json(found.as_of),
            "found": [span_json(span) for span in found.spans],
        }

    async def _frame(self, fields: Fields) -> Outcome:
        frame, at = fields.integer("frame", 0, MAX_FRAME), fields.raw("at")
        if frame is not None and at is not None:
            raise InvalidRequest("give `frame` or `at`, not both", param="at")
        _time(fields)  # says what is wrong with `at`
        stream = fields.text("stream", limit=MAX_ID)
        if stream is None:
            async with self._dial() as client:
                status = await client.status()
            stream = choose_stream(None, [one.name for one in status.streams], param="stream")
        moment = None if at is None else str(at)
        return await asyncio.to_thread(self._album.picture, stream, frame=frame, at=moment)

    async def _create_watch(self, fields: Fields) -> Outcome:
        wanted = read_create(fields)
        async with self._dial() as client:
            wish = replace(wanted.wish, stream=wanted.stream or "")
            return watch_json(await client.watch(wish, keep=True))

    async def _list_watches(self, _: Fields) -> Outcome:
        async with self._dial() as client:
            return {"watches": [watch_json(one) for one in await client.watches()]}

    async def _remove_watch(self, fields: Fields) -> Outcome:
        async with self._dial() as client:
            gone = await client.unwatch(read_delete(fields).watch)
        return {"removed": watch_json(gone)}

    async def _stats(self, fields: Fields) -> Outcome:
        async with self._dial() as client:
            sizes = await client.memory_stats(stream=fields.text("stream", limit=MAX_ID))
        return {"memories": [size_json(size) for size in sizes]}


def checked(name: str, arguments: JsonObject) -> Fields:
    """A tool's arguments, none of which it does not know. Raises LiveVLMError, also where there is no such tool."""
    spec = spec_of(name)
    fields = Fields(arguments)
    for unknown in fields.besides(spec.takes):
        known = nearest(unknown, spec.takes) or "; it takes none"
        raise InvalidRequest(f"{name} has no argument {unknown}{known}", param=unknown)
    for needed in spec.required:
        if needed not in fields:
            raise InvalidRequest(f"{name} needs the argument {needed}", param=needed)
    return fields


def spec_of(name: str) -> Spec:
    """The tool of a name. Raises LiveVLMError."""
    names = [spec.name for spec in SPECS]
    if name not in names:
        raise LiveVLMError(f"there is no tool {name[:MAX_ID]}{nearest(name[:MAX_ID], names)}")
    return SPECS[names.index(name)]


def span_json(span: Evidence) -> JsonObject:
    """A span of time that something was seen in; its `frame` can be looked at."""
    told = evidence_json(span)
    del told["thumbnail"]
    return {**told, "frame": span.picture}


def _words(fields: Fields, name: str) -> str:
    text = fields.text(name, limit=MAX_TEXT)
    if text is None or not text.strip():
        raise fields.invalid(name, "a text that is not empty")
    return text


def _time(fields: Fields) -> TimeRange | None:
    last, start, end, at = map(fields.raw, TIMES)
    try:
        return time_range(last=last, start=start, end=end, at=at)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
