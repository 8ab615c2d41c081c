"""Pictures of what was seen, on the server's port: GET /v1/frames/STREAM/FRAME.jpg, .../STREAM/newest.jpg and
.../STREAM?at=TIME.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol
from urllib.parse import parse_qs, unquote

from livevlm.errors import LiveVLMError, StreamNotFound
from livevlm.messages import Done, Errand, Look, Picture, Result
from livevlm.service.pages import Page
from livevlm.service.timespan import time_range
from livevlm.service.wire import FRAMES, PICTURE

PREFIX = f"{FRAMES}/"
JPEG = "image/jpeg"
WAIT_S = 5.0  # how long the model's thread, which owns the pictures, is waited for
NEWEST = "/newest.jpg"
USAGE = (
    f"Ask for {PREFIX}STREAM/FRAME.jpg, for {PREFIX}STREAM{NEWEST}, or for {PREFIX}STREAM?at=TIME, which is seconds of "
    "stream time or like 2026-01-31T10:32:00Z.\n"
)


class Album(Protocol):
    """Where pictures are."""

    def ready(self) -> bool: ...
    def errand(self, errand: Errand, done: Done) -> None: ...


async def frame_page(path: str, query: str, album: Album) -> Page:
    """The page at a path that begins with PREFIX: a JPEG; or 404 where it is not kept, 400, 503, with the reason."""
    try:
        look = _look(path, query)
    except ValueError as error:
        return Page(400, f"{error}. {USAGE}")
    if look is None:
        return Page(404, USAGE)
    if not album.ready():
        return Page(503, "The model is not ready; ask again soon.\n")
    try:
        result = await _carried_out(look, album)
    except StreamNotFound as error:
        return Page(404, f"{error.message}\n")
    except LiveVLMError as error:
        return Page(503, f"{error.message}\n")
    except TimeoutError:
        return Page(503, "The model is busy; ask again.\n")
    assert isinstance(result, Picture)
    if result.jpeg is None:
        return Page(
            404, "No picture of this is kept: it was never seen, is too old, or was forgotten.\n"
        )
    return Page(200, "", JPEG, data=result.jpeg)


def _look(path: str, query: str) -> Look | None:
    """What is to be looked at; None where the path names nothing. Raises ValueError for a time that is none."""
    picture = PICTURE.fullmatch(path)
    if picture is not None:
        return Look(stream=unquote(picture[1]), frame=int(picture[2]))
    name = path.removeprefix(PREFIX)
    if name.endswith(NEWEST) and name.count("/") == 1 and name != NEWEST:
        return Look(stream=unquote(name.removesuffix(NEWEST)))
    at = parse_qs(query).get("at")
    if at is None or not name or "/" in name:
        return None
    return Look(stream=unquote(name), time=time_range(at=at[-1]))


async def _carried_out(errand: Errand, album: Album) -> Result:
    """Raises what the errand ended with, and TimeoutError."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result | LiveVLMError] = loop.create_future()

    def settle(result: Result | LiveVLMError) -> None:
        if not future.done():
            future.set_result(result)

    def done(result: Result | LiveVLMError) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result)

    album.errand(errand, done)
    result = await asyncio.wait_for(future, WAIT_S)
    if isinstance(result, LiveVLMError):
        raise result
    return result
